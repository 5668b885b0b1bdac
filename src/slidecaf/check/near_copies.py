"""Near-copies: images that look the same although their files differ, found by small grey pictures of them.

A hash of a picture's coarse waves (64 bit, as pHash has it) finds candidates without comparing all pairs; then the fine
detail of both pictures is correlated block by block. The hash alone would not do: it calls many chest X-rays, skin
lesions in one vignette and almost empty images alike. What is turned, mirrored or cut by more than 1 or 2 % on each
side is not found. docs/decisions.md says what the thresholds were chosen by.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from slidecaf.slides.thumbnail import cuts

SIDE = 32
"""Px of a picture's sides."""

WAVES = 8
"""Of the picture's cosine waves those with fewer than so many halves across and down make the hash."""

BANDS = 8
"""Of 8 bit, into which a hash is cut. Hashes of a distance below 8 agree in a band at least, those of 10 in 97 %."""

DISTANCE = 10
"""Bits in which the hashes of candidates differ at most."""

BLOCKS = 4
"""Blocks of a picture across and down."""

BLUR = 1.0
"""Px, the sigma of the Gaussian that a picture's detail is free of: vignettes and slow shades are no detail."""

LEAST_DETAIL = 1.0
"""Grey values, the deviation from which on a block has detail; below there is little but rounding and noise."""

LEAST_BLOCKS = 8
"""Of the 16 blocks so many must have detail, else an image is almost empty and compared with none."""

ALIKE = 0.7
"""How well the detail of near-copies correlates in three quarters of the blocks, at least."""

MOST_CANDIDATES = 2_000_000
"""Of pairs whose detail is compared; it bounds the time where all images are of one kind."""

TOGETHER = 2**22
"""Pairs of hashes that are compared at once."""

STEP = 4096
"""Pictures that are worked on at once, and pairs of which detail is: some 60 MB."""

LUMA = np.array([77, 150, 29], np.uint16)
"""Of red, green and blue in grey, of 256."""


@dataclass(frozen=True)
class NearCopies:
    """What was found.

    Attributes
    ----------
    pairs : list of (str, str, float)
        Two slides in the order given, and their likeness from `ALIKE` to 1; the likest first.
    compared : int
        Slides that were compared.
    empty : list of str
        Slides that were not, being almost empty.
    complete : bool
        Whether all candidates were looked at.
    """

    pairs: list
    compared: int
    empty: list
    complete: bool = True


def grey_of(rgb) -> np.ndarray:
    """Return the grey values of pixels.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)

    Returns
    -------
    ndarray of uint8, shape (h, w)
    """
    return ((rgb * LUMA).sum(axis=2, dtype=np.uint16) >> 8).astype(np.uint8)


def small_picture(grey) -> np.ndarray | None:
    """Make an image small, whatever its proportions: each pixel is the mean of those that it stands for.

    Parameters
    ----------
    grey : ndarray of uint8, shape (h, w)

    Returns
    -------
    ndarray of uint8, shape (SIDE, SIDE), or None
        None of an image that has not so many px across or down.
    """
    if min(grey.shape) < SIDE:
        return None
    down, across = (cuts(length, SIDE) for length in grey.shape)
    rows = np.add.reduceat(grey, down[:-1], axis=0, dtype=np.int64)
    sums = np.add.reduceat(rows, across[:-1], axis=1)
    counts = np.diff(down)[:, None] * np.diff(across)
    return ((2 * sums + counts) // (2 * counts)).astype(np.uint8)


def hash_pictures(pictures) -> np.ndarray:
    """Hash pictures by their coarse cosine waves: a bit a wave, whether it is stronger than the median of them.

    Brightness and contrast change nothing, and the mean is no wave.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, SIDE, SIDE)

    Returns
    -------
    ndarray of uint64, shape (n,)
    """
    waves = dctn(pictures.astype(np.float32), axes=(1, 2))[:, :WAVES, :WAVES].reshape(len(pictures), -1)[:, 1:]
    bits = waves > np.median(waves, axis=1, keepdims=True)
    packed = np.packbits(np.pad(bits, ((0, 0), (0, 1))), axis=1)
    return np.ascontiguousarray(packed).view(np.uint64)[:, 0]


def detail_of(pictures) -> tuple[np.ndarray, np.ndarray]:
    """Return the fine detail of pictures by blocks, and which blocks have any.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (n, SIDE, SIDE)

    Returns
    -------
    detail : ndarray of float16, shape (n, blocks, px of a block)
        Of mean 0 and length 1, also of blocks with little: the paler of two copies has less. 0 where a block is flat.
    has : ndarray of bool, shape (n, blocks)
    """
    grey = pictures.astype(np.float32)
    fine = grey - gaussian_filter(grey, (0, BLUR, BLUR), mode="nearest")
    side = SIDE // BLOCKS
    blocks = fine.reshape(-1, BLOCKS, side, BLOCKS, side).swapaxes(2, 3).reshape(-1, BLOCKS**2, side**2)
    blocks -= blocks.mean(axis=2, keepdims=True)
    length = np.linalg.norm(blocks, axis=2, keepdims=True)
    has = length[..., 0] > LEAST_DETAIL * side
    return (blocks / np.maximum(length, 1e-3)).astype(np.float16), has


def likeness(detail, has, first, second) -> np.ndarray:
    """Return how alike pairs of pictures are: the correlation that three quarters of their blocks reach.

    Blocks without detail in both pictures say nothing.

    Parameters
    ----------
    detail, has
        From `detail_of`.
    first, second : ndarray of int, shape (pairs,)

    Returns
    -------
    ndarray of float64, shape (pairs,)
        From -1 to 1.
    """
    told = has[first] | has[second]
    correlation = np.einsum("pbx,pbx->pb", detail[first].astype(np.float32), detail[second].astype(np.float32))
    rising = np.sort(np.where(told, correlation, np.inf), axis=1)
    least = rising[np.arange(len(rising)), (told.sum(axis=1) - 1) // 4]
    return np.where(told.any(axis=1), least, 0.0)


def candidates(hashes, groups, trained) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of different groups whose hashes are near, each once; not those of which none is learned from.

    Only hashes that agree in one of `BANDS` are compared.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n,)
    groups : ndarray of int, shape (n,)
    trained : ndarray of bool, shape (n,)

    Yields
    ------
    first, second : ndarray of int
    """
    bands = hashes[:, None].view(np.uint8)
    for band in range(BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(bands[order, band])) + 1):
            rows = max(1, TOGETHER // max(1, len(members)))
            for start in range(0, len(members), rows):
                some, others = members[start : start + rows], members[start:]
                differ = hashes[some][:, None] ^ hashes[others]
                first, second = np.nonzero(np.bitwise_count(differ) <= DISTANCE)
                differ = differ[first, second]
                later = second > first
                first, second = some[first], others[second]
                wanted = later & (groups[first] != groups[second]) & (trained[first] | trained[second])
                # who agrees in an earlier band too has been yielded by it
                wanted &= differ[:, None].view(np.uint8)[:, :band].all(axis=1)
                if wanted.any():
                    yield first[wanted], second[wanted]


def find_near_copies(pictures: Mapping, groups: Mapping[str, str], trained: Container[str]) -> NearCopies:
    """Find images of different groups that look the same, of which one at least is learned from.

    Parameters
    ----------
    pictures : mapping of str to ndarray
        Slide to its `small_picture`.
    groups : mapping of str to str
        Slide to its patient.
    trained : container of str
        Slides that are in train.

    Returns
    -------
    NearCopies
    """
    slides = list(pictures)
    told, known = [], []
    for start in range(0, len(slides), STEP):
        some = np.array([pictures[slide] for slide in slides[start : start + STEP]])
        known.append((hash_pictures(some), *detail_of(some)))
        told += (known[-1][2].sum(axis=1) >= LEAST_BLOCKS).tolist()
    empty = [slide for slide, enough in zip(slides, told, strict=True) if not enough]
    slides = [slide for slide, enough in zip(slides, told, strict=True) if enough]
    if not slides:
        return NearCopies([], 0, empty)
    hashes, detail, has = (np.concatenate(part)[told] for part in zip(*known, strict=True))
    of_group = np.unique([groups[slide] for slide in slides], return_inverse=True)[1]
    in_train = np.array([slide in trained for slide in slides])
    pairs, looked_at, complete = [], 0, True
    for first, second in candidates(hashes, of_group, in_train):
        room = MOST_CANDIDATES - looked_at
        complete, first, second = len(first) <= room, first[:room], second[:room]
        looked_at += len(first)
        for start in range(0, len(first), STEP):
            one, other = (part[start : start + STEP] for part in (first, second))
            alike = likeness(detail, has, one, other)
            for k in np.flatnonzero(alike >= ALIKE):
                place = sorted((one[k], other[k]))
                pairs.append((*(slides[at] for at in place), round(float(alike[k]), 3), place))
        if not complete:
            break
    pairs.sort(key=lambda pair: (-pair[2], pair[3]))
    return NearCopies([pair[:3] for pair in pairs], len(slides), empty, complete)


def without_copies(pairs, copies) -> list:
    """Leave out pairs of equal content, which are said elsewhere.

    Parameters
    ----------
    pairs : list of (str, str, float)
        From `find_near_copies`.
    copies : list of list of str
        Slides of the same content.

    Returns
    -------
    list of (str, str, float)
    """
    equal = {frozenset(pair) for group in copies for pair in combinations(group, 2)}
    return [pair for pair in pairs if frozenset(pair[:2]) not in equal]
