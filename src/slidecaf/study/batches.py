"""Which slides share a job or a file: dealt by a stable hash of the slide's id, for all rules alike."""

import hashlib
from collections.abc import Iterable


def deal(slides: Iterable[str], size: int) -> dict[int, list[str]]:
    """Deal slides into batches of at most `size`.

    Slides are halved by the bits of their ids' hash until a batch is small enough. A slide's place depends on no order,
    and a further slide changes its own batch only, which may become two.

    Parameters
    ----------
    slides : iterable of str
        Their order does not matter.
    size : int
        The most slides of a batch, from 1.

    Returns
    -------
    dict of int to list of str
        Batches by number, none of them empty; each is sorted. The halves of batch k are 2 k and 2 k + 1.

    Examples
    --------
    >>> deal(["a", "b", "c"], 2)
    {2: ['b', 'c'], 3: ['a']}
    """
    hashes = {slide: _hash(slide) for slide in slides}

    def halve(own, number, bit):
        if len(own) <= size:
            return {number: own} if own else {}
        halves = [[slide for slide in own if hashes[slide] >> bit & 1 == side] for side in (0, 1)]
        return halve(halves[0], 2 * number, bit - 1) | halve(halves[1], 2 * number + 1, bit - 1)

    return halve(sorted(hashes), 1, 255)


def _hash(slide):
    return int.from_bytes(hashlib.sha256(slide.encode()).digest(), "big")


def deal_shards(slides: Iterable[str], shards: int) -> dict[int, list[str]]:
    """Deal images into shards, which share a file: by the id's hash alone, so that a further image changes one.

    Parameters
    ----------
    slides : iterable of str
        Their order does not matter.
    shards : int
        How many shards there are at most, from 1.

    Returns
    -------
    dict of int to list of str
        Shards by number from 0, none of them empty; each is sorted.

    Examples
    --------
    >>> deal_shards(["a", "b", "c"], 2)
    {0: ['c'], 1: ['a', 'b']}
    """
    dealt = {}
    for slide in sorted(set(slides)):
        dealt.setdefault(shard_of(slide, shards), []).append(slide)
    return dict(sorted(dealt.items()))


def shard_of(slide: str, shards: int) -> int:
    """Return the number of the shard that an image is in.

    Parameters
    ----------
    slide : str
    shards : int
        As for `deal_shards`.

    Returns
    -------
    int
    """
    return _hash(slide) % shards


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
