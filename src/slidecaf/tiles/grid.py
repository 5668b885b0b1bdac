"""Where the patches of a slide are (paper, sections 3.2 and 3.3).

Squares on a regular grid from the upper left corner. Sizes count px of level 0, or px at the resolution that the
tiling names. Patches that are white in every pixel may be discarded.
"""

from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil, nan

import numpy as np

from slidecaf.errors import SlidecafError, SlideError

MOST_SQUARES = 2**28
"""Of a grid: each takes some 50 bytes while it is made, and its features thousands on disk."""

PROOF_DOWNSAMPLE = 4
"""Finer levels are not asked for proof, unless there is no coarser one: they cost a good part of what level 0 costs."""

PROOF_PATCH = 16
"""The least side of a patch, in px of a level that is asked for proof."""

PROOF_MARGIN = 112
"""How far below the threshold a pixel of a lower level must be to prove a darker pixel at level 0.

Such a pixel is a weighted mean of pixels of level 0. If these are all above 200, then resampling with negative
weights (Lanczos) and JPEG at quality 30 together still leave it above 90, on random blocks of saturated colours
(`tests/unit/test_tiling.py`). Nuclei are darker than that.
"""

PROOF_INSET = 4
"""How far inside a patch such a pixel must lie, in px of its level.

That is for the width of the resampling, what JPEG spreads from a dark neighbour, and the level's place, which
rounded sizes leave uncertain by a pixel.
"""


@dataclass(frozen=True)
class Tiling:
    """How patches are laid over a slide.

    Attributes
    ----------
    patch_size : int
        The side of a patch in px, from 1.
    stride : int
        Px from one patch to the next, from 1.
    edge : {"drop", "cover"}
        Leave out patches that do not fit, or let the grid go on until every pixel is covered.
    white_above : int or None
        Discard a patch where R, G and B of every pixel are above this; None keeps all.
    mpp : float or None
        Micrometres a pixel at which `patch_size` and `stride` count; None is level 0.

    Raises
    ------
    SlidecafError
        If the stride is below 1, or leaves gaps where `edge` is "cover".
    """

    patch_size: int
    stride: int
    edge: str = "drop"
    white_above: int | None = None
    mpp: float | None = None

    def __post_init__(self):
        if self.stride < 1:
            raise SlidecafError(f"tiling: the stride is {self.stride} px; lower overlap.")
        if self.edge == "cover" and self.stride > self.patch_size:
            raise SlidecafError(
                f"tiling: with stride {self.stride} patches of {self.patch_size} px do not cover every pixel; "
                "lower stride, or write edge: drop."
            )

    @classmethod
    def from_config(cls, config):
        """Make a tiling from a config's mapping.

        Parameters
        ----------
        config : mapping
            ``patch_size``, either ``overlap`` (a share from 0 to below 1) or ``stride`` (px), and, where the
            defaults are not wanted, ``edge``, ``white_above`` and ``mpp``.

        Returns
        -------
        Tiling
            With an overlap the stride is patch_size (1 - overlap), rounded: 252 for 336 at 0.25 (section 3.2).
        """
        rest = dict(config)
        if "overlap" in rest:
            rest["stride"] = round(rest["patch_size"] * (1 - rest.pop("overlap")))
        return cls(**rest)


@dataclass(frozen=True, eq=False)
class Patches:
    """A slide's patches.

    Attributes
    ----------
    tiling : Tiling
    coords : ndarray of int64, shape (N, 2)
        x and y of the upper left corners at level 0, sorted by y and then x. N may be 0.
    patch_size_level0 : int
        The side of a patch in px of level 0.
    stride_level0 : float
        Px of level 0 from one patch to the next, before positions are rounded.
    squares : int
        Patches of the grid, before the white rule.
    kept_by : dict of int to int
        Level to the patches that it proved to be kept.
    pixels_read : int
        For the white rule, over all levels.
    """

    tiling: Tiling
    coords: np.ndarray
    patch_size_level0: int
    stride_level0: float
    squares: int
    kept_by: dict
    pixels_read: int

    @property
    def effort(self):
        """What the white rule decided at which level, in words."""
        if self.tiling.white_above is None:
            return f"all {self.squares} of the grid, no white rule"
        parts = [f"{count} kept by level {level}" for level, count in self.kept_by.items() if count]
        parts += [f"{self.squares - len(self.coords)} white", f"{self.pixels_read / 1e6:.1f} Mpx read"]
        return f"of {self.squares} of the grid " + ", ".join(parts)


def lay(slide, tiling):
    """Lay the grid over a slide, whose pixels are not looked at.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    tiling : Tiling

    Returns
    -------
    xs, ys : ndarray of int64
        Where columns and rows of patches start at level 0, ascending.
    size : int
        The side of a patch in px of level 0.
    stride : float
        Px of level 0 from one patch to the next, before positions are rounded.

    Raises
    ------
    SlidecafError
        If the tiling names a resolution and the slide has none, or the stride is below 1 px of level 0.
    """
    scale = _scale(slide, tiling)
    size, stride = max(1, round(tiling.patch_size * scale)), tiling.stride * scale
    if stride < 1:
        raise SlidecafError(
            f"slide {slide.name}: {slide.path}: a stride of {tiling.stride} px at {tiling.mpp} micrometres a pixel "
            f"is less than 1 px of level 0, which has {slide.mpp}; raise tiling.stride or tiling.mpp."
        )
    if tiling.edge == "cover":
        # Positions are rounded, so that patches side by side may need the next whole px to leave no gap.
        size = max(size, ceil(stride - 1e-6))
    xs, ys = (_positions(length, size, stride, tiling.edge) for length in (slide.width, slide.height))
    return xs, ys, size, stride


def tile(slide, tiling):
    """Find a slide's patches.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    tiling : Tiling

    Returns
    -------
    Patches
        A slide smaller than a patch has one row or column of patches, which reach beyond its border. Of such
        patches only the slide's own pixels count for the white rule.

    Raises
    ------
    SlidecafError
        If the tiling names a resolution and the slide has none, or the stride is below 1 px of level 0.
    SlideError
        If the slide cannot be read, or the grid has more than `MOST_SQUARES`.
    """
    xs, ys, size, stride = lay(slide, tiling)
    if len(xs) * len(ys) > MOST_SQUARES:
        raise SlideError(
            f"slide {slide.name}: {slide.path} has {slide.width} x {slide.height} px, on which patches every "
            f"{stride:g} px would be {len(xs) * len(ys)}, more than {MOST_SQUARES}; raise tiling.stride."
        )
    white, kept_by, pixels_read = np.zeros((len(ys), len(xs)), bool), {}, 0
    if tiling.white_above is not None:
        white, kept_by, pixels_read = _find_white(slide, xs, ys, size, tiling.white_above)
    rows, columns = np.nonzero(~white)
    return Patches(
        tiling=tiling,
        coords=np.stack([xs[columns], ys[rows]], axis=1),
        patch_size_level0=size,
        stride_level0=stride,
        squares=white.size,
        kept_by=kept_by,
        pixels_read=pixels_read,
    )


def attributes(slide, patches):
    """Describe patches as CLAM and TRIDENT do.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    patches : Patches

    Returns
    -------
    dict
        Attributes of ``coords`` in a tiles file. Where the objective's magnification is not known it is 10 / mpp,
        as is usual, or NaN without mpp. ``overlap`` and ``stride`` are in px of
        ``patch_size``, ``stride_level0`` in px of level 0.
    """
    tiling = patches.tiling
    scale = _scale(slide, tiling)
    mpp = nan if slide.mpp is None else float(slide.mpp)
    magnification = 10 / mpp if slide.magnification is None else float(slide.magnification)
    patch_level = slide.best_level(scale)
    level = slide.levels[patch_level]
    return {
        "patch_size": tiling.patch_size,
        "patch_size_level0": patches.patch_size_level0,
        "stride": tiling.stride,
        "stride_level0": float(patches.stride_level0),
        "overlap": tiling.patch_size - tiling.stride,
        "level0_width": slide.width,
        "level0_height": slide.height,
        "level0_mpp": mpp,
        "level0_magnification": magnification,
        "target_magnification": magnification / scale,
        "patch_level": patch_level,
        "downsample": (level.downsample, level.downsample),
        "downsampled_level_dim": (level.width, level.height),
        "level_dim": (level.width, level.height),
    }


def _scale(slide, tiling):
    """Return px of level 0 for one px of the tiling."""
    if tiling.mpp is None:
        return 1.0
    if slide.mpp is None:
        raise SlidecafError(
            f"slide {slide.name}: {slide.path} does not say its micrometres a pixel, which tiling.mpp needs; write "
            "them into the sheet's column mpp."
        )
    return tiling.mpp / slide.mpp


def _positions(length, size, stride, edge):
    """Return where patches start along one side, ascending."""
    starts = np.rint(np.arange(ceil(length / stride) + 1) * stride).astype(np.int64)
    ends = starts + size
    if edge == "cover":
        return starts[: np.searchsorted(ends, length) + 1]
    return starts[: max(1, np.searchsorted(ends, length, side="right"))]


def _find_white(slide, xs, ys, size, white_above):
    """Apply the white rule.

    Returns
    -------
    white : ndarray of bool, shape (len(ys), len(xs))
        Patches without a pixel that has a channel at most `white_above`.
    kept_by : dict of int to int
    pixels_read : int
    """
    undecided = np.ones((len(ys), len(xs)), bool)
    kept_by, pixels_read = {}, 0
    # From coarse to fine. What no level proves is decided by all its pixels of level 0, and by nothing else.
    coarsest = max(level.downsample for level in slide.levels)
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
        pixels_read += _clear_dark(slide, index, *spans, undecided, at_most, sparse=sparse)
        kept_by[index] = int(before - np.count_nonzero(undecided))
    return undecided, kept_by, pixels_read


def _span(starts, size, length0, length, downsample, inset):
    """Return start and end, in px of a level, of what lies inside patches and the slide by `inset`; maybe empty."""
    ends = np.minimum(starts + size, length0)
    starts = np.minimum(np.ceil(starts / downsample).astype(np.int64) + inset, length)
    ends = np.minimum(np.floor(ends / downsample).astype(np.int64) - inset, length)
    return starts, np.maximum(starts, ends)


def _clear_dark(slide, index, span_x, span_y, undecided, at_most, *, sparse):
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
    for top, left in _places(level, width, height, step=2 if sparse else 1):
        rows, columns = _meeting(span_y, top, top + height), _meeting(span_x, left, left + width)
        patches = undecided[rows, columns]  # a view: what is cleared here is cleared for later blocks
        if not patches.any():
            continue
        x, starts_x, ends_x = _clip(span_x, columns, patches.any(axis=0), left, left + width)
        y, starts_y, ends_y = _clip(span_y, rows, patches.any(axis=1), top, top + height)
        if ends_x.max() < 1 or ends_y.max() < 1:
            continue
        region = slide.read(x, y, ends_x.max(), ends_y.max(), index)
        pixels_read += region.shape[0] * region.shape[1]
        patches &= ~_any_dark(region, starts_x, ends_x, starts_y, ends_y, at_most)
    return pixels_read


def _places(level, width, height, *, step):
    """Yield the corners of a level's blocks, row by row: those of every `step`-th row and column first."""
    tops, lefts = range(0, level.height, height), range(0, level.width, width)
    # from the last offset down, since every patch that is long enough meets these, also at the slide's border
    for first_row, first_column in product(reversed(range(step)), repeat=2):
        yield from product(tops[first_row::step], lefts[first_column::step])


def _meeting(span, start, stop):
    """Return which patches' spans meet a block's."""
    starts, ends = span
    first = np.searchsorted(ends, start, side="right")
    return slice(first, max(first, np.searchsorted(starts, stop)))


def _clip(span, patches, wanted, start, stop):
    """Return the start of the box around wanted patches in a block, and patches' starts and ends within the box."""
    starts, ends = (np.clip(side[patches], start, stop) for side in span)
    low, high = starts[wanted].min(), ends[wanted].max()
    return low, np.clip(starts, low, high) - low, np.clip(ends, low, high) - low


def _any_dark(region, starts_x, ends_x, starts_y, ends_y, at_most):
    """Tell which rectangles of a region, rows times columns, hold a channel at most `at_most`.

    The rectangles' borders cut the region into cells. Each pixel is looked at once, for its cell's minimum; an
    integral image of the dark cells then answers for any rectangle.
    """
    cuts_x, cuts_y = np.unique([starts_x, ends_x]), np.unique([starts_y, ends_y])
    # Minima over rows one cell at a time are ten times as fast as NumPy's reduceat along this axis.
    minima = np.stack([region[a:b].min(axis=0).ravel() for a, b in pairwise(cuts_y)])
    dark = np.minimum.reduceat(minima, 3 * cuts_x[:-1], axis=1) <= at_most
    count = np.zeros((len(cuts_y), len(cuts_x)), np.int64)
    count[1:, 1:] = dark.cumsum(axis=0).cumsum(axis=1)
    left, right = np.searchsorted(cuts_x, starts_x), np.searchsorted(cuts_x, ends_x)
    above, below = np.searchsorted(cuts_y, starts_y)[:, None], np.searchsorted(cuts_y, ends_y)[:, None]
    return count[below, right] - count[above, right] - count[below, left] + count[above, left] > 0
