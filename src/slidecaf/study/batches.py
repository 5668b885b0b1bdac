"""Which slides share a job: one dealing for all rules, by a stable hash of the slide's id."""

import hashlib
from collections.abc import Iterable


def deal(slides: Iterable[str], size: int) -> dict[int, list[str]]:
    """Deal slides into batches of at most `size`.

    A slide has its place by its id alone; where a batch is full, the slide goes to the next that is not. The number of
    places is a power of two, so that a further slide changes few batches until they are twice as many.

    Parameters
    ----------
    slides : iterable of str
        Their order does not matter.
    size : int
        The most slides of a batch, from 1.

    Returns
    -------
    dict of int to list of str
        Batches with slides, by ascending number; each is sorted.

    Examples
    --------
    >>> deal(["a", "b", "c"], 2)
    {0: ['c'], 1: ['a', 'b']}
    """
    by_hash = sorted((hashlib.sha256(slide.encode()).digest(), slide) for slide in set(slides))
    places = 1
    while places * size < len(by_hash):
        places *= 2
    batches = {}
    for digest, slide in by_hash:
        place = int.from_bytes(digest[-8:], "big") % places
        while len(batches.get(place, ())) == size:
            place = (place + 1) % places
        batches.setdefault(place, []).append(slide)
    return {place: sorted(batches[place]) for place in sorted(batches)}


def deal_apart(training: Iterable[str], others: Iterable[str], size: int) -> dict[int, list[str]]:
    """Deal training slides and others into batches of their own: a further test slide changes no training batch.

    Parameters
    ----------
    training, others : iterable of str
        A slide in both counts as training.
    size : int
        The most slides of a batch, from 1.

    Returns
    -------
    dict of int to list of str
        Training batches have even numbers, the others odd ones.
    """
    training = set(training)
    dealt = {2 * place: batch for place, batch in deal(training, size).items()}
    return dealt | {2 * place + 1: batch for place, batch in deal(set(others) - training, size).items()}
