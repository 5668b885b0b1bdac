"""Where the patches of a slide are (paper, sections 3.2 and 3.3).

Squares on a regular grid from the upper left corner. Sizes count pixels of level 0, or of the resolution that the
tiling names. A patch whose every pixel is white may be discarded.
"""

from dataclasses import dataclass
from math import nan

import numpy as np

from slidecaf.errors import SlidecafError

MARGIN = 40
"""How far below the threshold a pixel of a lower level has to be to prove that a patch is kept.

Such a pixel is a mean of pixels of level 0, so one of them is as dark; the margin is for resampling with overshoot
and for lossy compression, which blur that.
"""

BLOCK = 2048
"""The side of the regions read for the white rule, in px; one patch where that is larger."""


@dataclass(frozen=True)
class Tiling:
    """How a slide is split into patches.

    Attributes
    ----------
    patch_size, stride : int
        In px at `mpp`, or at level 0.
    edge : {"drop", "cover"}
        Whether patches that do not fit are left out, or the grid goes on until every pixel is covered.
    white_above : int or None
        A patch whose every pixel has R, G and B above this is discarded; None keeps all.
    mpp : float or None
        Micrometres a pixel at which sizes count; None is level 0.
    """

    patch_size: int
    stride: int
    edge: str = "drop"
    white_above: int | None = None
    mpp: float | None = None

    @classmethod
    def from_config(cls, spec):
        """Build a tiling from a config's mapping.

        Parameters
        ----------
        spec : mapping
            ``patch_size`` and either ``stride`` in px or ``overlap``, a share of `patch_size`; the stride is then
            patch_size × (1 − overlap), rounded: 252 for 336 at 25 % (section 3.2).

        Returns
        -------
        Tiling
        """
        size = spec["patch_size"]
        stride = spec["stride"] if "stride" in spec else max(1, round(size * (1 - spec["overlap"])))
        return cls(size, stride, spec["edge"], spec["white_above"], spec["mpp"])


@dataclass(frozen=True)
class Patches:
    """A slide's patches.

    Attributes
    ----------
    tiling : Tiling
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0, sorted by y and then x.
    patch_size_level0 : int
        The side of a patch in px of level 0.
    effort : str
        What the white rule had to read, for the log.
    """

    tiling: Tiling
    coords: np.ndarray
    patch_size_level0: int
    effort: str


def tile(slide, tiling):
    """Find the patches of a slide.

    Parameters
    ----------
    slide : slidecaf.slides.base.Slide
    tiling : Tiling

    Returns
    -------
    Patches
        A slide smaller than a patch has one patch in that direction, which reaches beyond its border.

    Raises
    ------
    SlidecafError
        If the tiling names a resolution and the slide has none.
    SlideError
        If the slide cannot be read.
    """
    scale = _scale(slide, tiling)
    size = max(1, round(tiling.patch_size * scale))
    xs = _positions(slide.width, size, tiling.stride * scale, tiling.edge)
    ys = _positions(slide.height, size, tiling.stride * scale, tiling.edge)
    kept, effort = np.ones((len(ys), len(xs)), bool), "no white rule"
    if tiling.white_above is not None:
        kept, effort = _not_white(slide, xs, ys, size, tiling.white_above)
    rows, columns = np.nonzero(kept)
    coords = np.stack([xs[columns], ys[rows]], 1)
    return Patches(tiling, coords, size, effort)


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
    """Return the grid's positions along one side, in px of level 0."""
    reach = length - size if edge == "drop" else length - 1
    count = max(0, int(reach / stride)) + 2
    positions = np.rint(np.arange(count) * stride).astype(np.int64)
    if edge == "drop":
        return positions[(positions + size <= length) | (np.arange(count) == 0)]
    # up to and with the first patch that reaches the border
    reaching = positions[: np.searchsorted(positions + size, length) + 1]
    return reaching[reaching < length]


def _not_white(slide, xs, ys, size, white_above):
    """Return which patches, (rows, columns), have a pixel that is not white, and what had to be read."""
    right, bottom = np.minimum(xs + size, slide.width), np.minimum(ys + size, slide.height)
    kept, effort = np.zeros((len(ys), len(xs)), bool), ""
    level = max(
        (i for i, of in enumerate(slide.levels) if 1 < of.downsample <= size / 8),
        key=lambda i: slide.levels[i].downsample,
        default=None,
    )
    if level is not None:
        scale = slide.levels[level].downsample
        # one pixel in from the patch's border, since a resampled pixel may look beyond its own place
        spans = [
            (np.ceil(start / scale).astype(int) + 1, np.minimum(np.floor(end / scale).astype(int) - 1, limit))
            for start, end, limit in (
                (xs, right, slide.levels[level].width),
                (ys, bottom, slide.levels[level].height),
            )
        ]
        kept = _any_dark(slide, level, white_above - MARGIN, *spans, np.ones_like(kept))
        effort = f"level {level} (1:{scale:.3g}) proved {kept.sum()} of {kept.size} patches kept, "
    undecided = ~kept
    kept |= _any_dark(slide, 0, white_above, (xs, right), (ys, bottom), undecided)
    return kept, effort + f"level 0 was read for {undecided.sum()}"


def _any_dark(slide, level, threshold, columns, rows, wanted):
    """Tell which of the wanted grid cells hold a pixel with R, G or B at or below a threshold.

    Cells are the products of column and row spans (start, end) in px of the level. Neighbours are read together,
    in regions of bounded size, and counted by an integral image.
    """
    found = np.zeros_like(wanted)
    for top, bottom in _blocks(rows):
        for left, right in _blocks(columns):
            cells = np.nonzero(wanted[top:bottom, left:right])
            if not len(cells[0]):
                continue
            j, i = cells[0] + top, cells[1] + left
            x0, x1, y0, y1 = columns[0][i], columns[1][i], rows[0][j], rows[1][j]
            some = (x1 > x0) & (y1 > y0)
            if not some.any():
                continue
            j, i, x0, x1, y0, y1 = (values[some] for values in (j, i, x0, x1, y0, y1))
            x, y = x0.min(), y0.min()
            region = slide.read(int(x), int(y), int(x1.max() - x), int(y1.max() - y), level)
            dark = np.zeros((region.shape[0] + 1, region.shape[1] + 1), np.int32)
            np.cumsum(np.cumsum((region <= threshold).any(2), 0, dtype=np.int32), 1, out=dark[1:, 1:])
            x0, x1, y0, y1 = x0 - x, x1 - x, y0 - y, y1 - y
            found[j, i] = dark[y1, x1] - dark[y0, x1] - dark[y1, x0] + dark[y0, x0] > 0
    return found


def _blocks(spans):
    """Split consecutive spans into runs that reach over at most BLOCK px, or hold one span."""
    starts, ends = spans
    first = 0
    for i in range(1, len(starts) + 1):
        if i == len(starts) or ends[i] - starts[first] > BLOCK:
            yield first, i
            first = i


def attributes(slide, patches):
    """Describe patches as CLAM and TRIDENT do, for a tiles file.

    Parameters
    ----------
    slide : slidecaf.slides.base.Slide
    patches : Patches

    Returns
    -------
    dict
        Attributes of ``coords``. A magnification that is not known is NaN.
    """
    tiling, size = patches.tiling, patches.patch_size_level0
    magnification = slide.magnification or (10 / slide.mpp if slide.mpp else nan)
    target = magnification * tiling.patch_size / size
    dimensions = np.array([slide.width, slide.height])
    return {
        "patch_size": tiling.patch_size,
        "patch_size_level0": size,
        "stride": tiling.stride,
        "overlap": tiling.patch_size - tiling.stride,
        "level0_width": slide.width,
        "level0_height": slide.height,
        "level0_magnification": float(magnification),
        "target_magnification": float(target),
        "level0_mpp": float(slide.mpp or nan),
        "patch_level": 0,
        "downsample": np.array([1.0, 1.0]),
        "downsampled_level_dim": dimensions,
        "level_dim": dimensions,
    }
