"""Which patches of a grid are discarded as white (paper, section 3.2): those whose every pixel is.

A patch is discarded on pixels of level 0 and on nothing else. A lower level may prove that a patch is kept, which
spares reading it at level 0; it never proves that a patch is discarded.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise, product

import numpy as np

PROOF_DOWNSAMPLE = 4
"""Finer levels are not asked for proof, unless there is no coarser one: they cost a good part of what level 0 costs."""

PROOF_PATCH = 16
"""The least side of a patch, in px of a level that is asked for proof."""

PROOF_MARGIN = 112
"""How far below the threshold a pixel of a lower level must be to prove a darker pixel at level 0.

Such a pixel is a weighted mean of pixels of level 0. If these are all above 200, then resampling with negative
weights (Lanczos) and JPEG at quality 30 together still leave it above 90, on random blocks of saturated colours
(`tests/unit/tiles/test_tissue.py`). Nuclei are darker than that.
"""

PROOF_INSET = 4
"""How far inside a patch such a pixel must lie, in px of its level.

That is for the width of the resampling, what JPEG spreads from a dark neighbour, and the level's place, which
rounded sizes leave uncertain by a pixel.
"""

TOGETHER = 2**23
"""Px of the blocks that are decided on together. It is a constant, so that threads do not change what is read."""


def find_white(slide, xs, ys, size, white_above, *, among=None, threads=1) -> tuple[np.ndarray, dict, int]:
    """Apply the white rule to the patches of a grid.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    xs, ys : ndarray of int64
        Where columns and rows of patches start at level 0, ascending.
    size : int
        The side of a patch in px of level 0.
    white_above : int
    among : ndarray of bool, shape (len(ys), len(xs)), optional
        Patches that are looked at; all by default.
    threads : int, optional
        That read and look. What is found does not depend on it.

    Returns
    -------
    white : ndarray of bool, shape (len(ys), len(xs))
        Patches, of those looked at, without a pixel that has a channel at most `white_above`.
    kept_by : dict of int to int
        Level to the patches that it proved to be kept.
    pixels_read : int
        Over all levels.

    Raises
    ------
    SlideError
        If the slide cannot be read.
    """
    undecided = np.ones((len(ys), len(xs)), bool) if among is None else among.copy()
    kept_by, pixels_read = {}, 0
    # From coarse to fine. What no level proves is decided by all its pixels of level 0, and by nothing else.
    coarsest = max(level.downsample for level in slide.levels)
    with ThreadPoolExecutor(threads) as pool:
        for index, level in sorted(enumerate(slide.levels), key=lambda item: -item[1].downsample):
            at_most, inset = white_above, 0
            if index > 0:
                at_most, inset = white_above - PROOF_MARGIN, PROOF_INSET
                fine = level.downsample < min(PROOF_DOWNSAMPLE, coarsest)
                if fine or size / level.downsample < PROOF_PATCH or at_most < 0:
                    continue
            spans = (
                _span(xs, size, slide.width, level.width, level.downsample, inset),
                _span(ys, size, slide.height, level.height, level.downsample, inset),
            )
            before = np.count_nonzero(undecided)
            # a patch at least as long as a tile meets one of every second row and column of tiles
            sparse = index == 0 and level.tile is not None and size >= max(level.tile)
            pixels_read += _clear_dark(slide, index, *spans, undecided, at_most, sparse=sparse, pool=pool)
            kept_by[index] = int(before - np.count_nonzero(undecided))
    return undecided, kept_by, pixels_read


def _span(starts, size, length0, length, downsample, inset):
    """Return start and end, in px of a level, of what lies inside patches and the slide by `inset`; maybe empty."""
    ends = np.minimum(starts + size, length0)
    starts = np.minimum(np.ceil(starts / downsample).astype(np.int64) + inset, length)
    ends = np.minimum(np.floor(ends / downsample).astype(np.int64) - inset, length)
    return starts, np.maximum(starts, ends)


def _clear_dark(slide, index, span_x, span_y, undecided, at_most, *, sparse, pool):
    """Take patches off `undecided` that have a channel at most `at_most` in some pixel of a level.

    The level is read by blocks, of these only the box around the patches that are undecided by then, so that
    each pixel is read once at the most and memory does not grow with the slide. `sparse` takes the file's own tiles
    instead, and every second row and column of them first: a quarter of the tissue then proves nearly all of its
    patches.

    Returns
    -------
    int
        The pixels read.
    """
    level, pixels_read = slide.levels[index], 0
    width, height = level.tile if sparse else level.block

    def look(box):
        patches, (x, starts_x, ends_x), (y, starts_y, ends_y) = box
        region = slide.read(x, y, ends_x.max(), ends_y.max(), index)
        dark = _any_dark(region, starts_x, ends_x, starts_y, ends_y, at_most)
        return patches, dark, region.shape[0] * region.shape[1]

    def boxes(places):
        for top, left in places:
            rows, columns = _meeting(span_y, top, top + height), _meeting(span_x, left, left + width)
            patches = undecided[rows, columns]  # a view: what is cleared here is cleared for later blocks
            if not patches.any():
                continue
            across = _clip(span_x, columns, patches.any(axis=0), left, left + width)
            down = _clip(span_y, rows, patches.any(axis=1), top, top + height)
            if across[2].max() >= 1 and down[2].max() >= 1:
                yield patches, across, down

    for places in _rounds(level, width, height, step=2 if sparse else 1):
        waiting, several = boxes(places), max(1, TOGETHER // (width * height))
        while together := list(islice(waiting, several)):
            for patches, dark, pixels in pool.map(look, together):
                patches &= ~dark
                pixels_read += pixels
    return pixels_read


def _rounds(level, width, height, *, step):
    """Yield the corners of a level's blocks in rounds, row by row: those of every `step`-th row and column first."""
    tops, lefts = range(0, level.height, height), range(0, level.width, width)
    # from the last offset down, since every patch that is long enough meets these, also at the slide's border
    for first_row, first_column in product(reversed(range(step)), repeat=2):
        yield product(tops[first_row::step], lefts[first_column::step])


def _meeting(span, start, stop):
    """Return which patches' spans meet a block's."""
    starts, ends = span
    first = np.searchsorted(ends, start, side="right")
    return slice(first, max(first, np.searchsorted(starts, stop)))


def _clip(span, patches, wanted, start, stop):
    """Return the start of the box around wanted patches in a block, and patches' starts and ends within the box."""
    starts, ends = (np.minimum(np.maximum(side[patches], start), stop) for side in span)
    low, high = starts[wanted].min(), ends[wanted].max()
    return low, *(np.minimum(np.maximum(side, low), high) - low for side in (starts, ends))


def _any_dark(region, starts_x, ends_x, starts_y, ends_y, at_most):
    """Tell which rectangles of a region, rows times columns, hold a channel at most `at_most`.

    The rectangles' borders cut the region into cells. Each pixel is looked at once, for its cell's minimum; an
    integral image of the dark cells then answers for any rectangle.
    """
    if region.min() > at_most:  # most of a slide is white, and one look at all of a block tells it
        return np.zeros((len(starts_y), len(starts_x)), bool)
    cuts_x, cuts_y = np.unique([starts_x, ends_x]), np.unique([starts_y, ends_y])
    # Minima over rows one cell at a time are ten times as fast as NumPy's reduceat along this axis.
    minima = np.stack([region[a:b].min(axis=0).ravel() for a, b in pairwise(cuts_y)])
    dark = np.minimum.reduceat(minima, 3 * cuts_x[:-1], axis=1) <= at_most
    count = np.zeros((len(cuts_y), len(cuts_x)), np.int64)
    count[1:, 1:] = dark.cumsum(axis=0).cumsum(axis=1)
    left, right = np.searchsorted(cuts_x, starts_x), np.searchsorted(cuts_x, ends_x)
    above, below = np.searchsorted(cuts_y, starts_y)[:, None], np.searchsorted(cuts_y, ends_y)[:, None]
    return count[below, right] - count[above, right] - count[below, left] + count[above, left] > 0
