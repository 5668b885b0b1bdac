"""Which slides share a job: one dealing for all rules, by a stable hash of the slide's id."""

import hashlib
from collections.abc import Iterable


def deal(slides: Iterable[str], size: int) -> list[list[str]]:
    """Deal slides into batches of at most `size`.

    A slide has its place by its id alone; where a batch is full the slide goes to the next that is not. So a further
    slide changes few batches, whatever its place in the sheet is.

    Parameters
    ----------
    slides : iterable of str
        Their order does not matter.
    size : int
        The most slides of a batch, from 1.

    Returns
    -------
    list of list of str
        As few batches as hold all slides; each is sorted.

    Examples
    --------
    >>> deal(["a", "b", "c"], 2)
    [['a', 'b'], ['c']]
    """
    by_hash = sorted((hashlib.sha256(slide.encode()).digest(), slide) for slide in set(slides))
    batches = [[] for _ in range(-(-len(by_hash) // size))]
    for digest, slide in by_hash:
        place = int.from_bytes(digest[:8]) % len(batches)
        while len(batches[place]) == size:
            place = (place + 1) % len(batches)
        batches[place].append(slide)
    return [sorted(batch) for batch in batches]


def deal_apart(training: Iterable[str], others: Iterable[str], size: int) -> list[list[str]]:
    """Deal training slides and others into batches of their own: a further test slide changes no training batch.

    Parameters
    ----------
    training, others : iterable of str
        A slide in both counts as training.
    size : int
        The most slides of a batch, from 1.

    Returns
    -------
    list of list of str
        The training batches first.
    """
    training = set(training)
    return deal(training, size) + deal(set(others) - training, size)
