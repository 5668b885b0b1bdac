"""Where the patches of a slide are (paper, sections 3.2 and 3.3).

Squares on a regular grid from the upper left corner. Sizes count px of level 0, or px at the resolution that the
tiling names. Patches that are white in every pixel may be discarded.
"""

from dataclasses import dataclass
from math import ceil, nan

import numpy as np

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.tiles.otsu import Tissue, find_tissue
from slidecaf.tiles.tiling import Tiling
from slidecaf.tiles.tissue import find_white

MOST_SQUARES = 2**28
"""Of a grid: each takes some 50 bytes while it is made, and its features thousands on disk."""


LEAST_SHARE = 1e-9
"""Of a patch that has to be tissue where any will do, and by which a share may miss: sums of shares are not exact."""

ENLARGED = 1.1
"""By how much patches are enlarged at most without a word."""


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
        Patches of the grid, before any rule.
    tissue : slidecaf.tiles.otsu.Tissue or None
        Where the slide has tissue, where the tiling asks for it.
    without_tissue : int
        Patches discarded for want of it; the white rule looks at the others.
    region : ndarray of int64, shape (M, 2), or None
        Corners of the patches in the slide's region of interest, before the other rules; None where it has none.
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
    tissue: Tissue | None = None
    without_tissue: int = 0
    region: np.ndarray | None = None

    @property
    def effort(self) -> str:
        """What the rules decided, the white rule at which level, in words."""
        looked_at = self.squares if self.region is None else len(self.region)
        if self.tiling.white_above is None and self.tissue is None and self.region is None:
            return f"all {self.squares} of the grid, no white rule"
        parts = [] if self.region is None else [f"{self.squares - looked_at} outside the region of interest"]
        if self.tissue is not None:
            parts.append(f"{self.without_tissue} without tissue ({100 * self.tissue.share:.1f} % of the slide has it)")
        if self.tiling.white_above is not None:
            parts += [f"{count} kept by level {level}" for level, count in self.kept_by.items() if count]
            white = looked_at - self.without_tissue - len(self.coords)
            parts += [f"{white} white", f"{self.pixels_read / 1e6:.1f} Mpx read"]
        return f"of {self.squares} of the grid " + ", ".join(parts)


def lay(slide, tiling) -> tuple[np.ndarray, np.ndarray, int, float]:
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
    scale = scale_of(slide, tiling)
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


def tile(slide, tiling, *, region=None, threads=1) -> Patches:
    """Find a slide's patches.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    tiling : Tiling
    region : slidecaf.tiles.region.Region, optional
        Patches outside are left out before any rule looks at them.
    threads : int, optional
        Of the white rule. Patches do not depend on it.

    Returns
    -------
    Patches
        A slide smaller than a patch has one row or column of patches, which reach beyond its border. Of such
        patches only the slide's own pixels count for the white rule.

    Raises
    ------
    SlidecafError
        If the tiling names a resolution and the slide has none or has no square pixels, or the stride is below 1 px of
        level 0, or the region holds no patch.
    SlideError
        If the slide cannot be read, or the grid has more than `MOST_SQUARES`.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from slidecaf.slides import open_slide
    >>> image = Image.new("RGB", (60, 40), "white")
    >>> image.putpixel((30, 10), (120, 40, 90))  # tissue
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     image.save(file.name)
    ...     with open_slide(file.name) as slide:
    ...         tile(slide, Tiling(patch_size=20, stride=20, white_above=200)).coords
    array([[20,  0]])
    """
    xs, ys, size, stride = lay(slide, tiling)
    if len(xs) * len(ys) > MOST_SQUARES:
        raise SlideError(
            f"slide {slide.name}: {slide.path} has {slide.width} x {slide.height} px, on which patches every "
            f"{stride:g} px would be {len(xs) * len(ys)}, more than {MOST_SQUARES}; raise tiling.stride."
        )
    kept, tissue, kept_by, pixels_read = np.ones((len(ys), len(xs)), bool), None, {}, 0
    if region is not None:
        kept = region.holds(xs, ys, size)
    inside = kept.copy()
    if tiling.tissue == "otsu":
        tissue = find_tissue(slide)
        kept = kept & has_tissue(tissue, slide, tiling, (xs, ys, size))
    with_tissue = np.count_nonzero(kept)
    if tiling.white_above is not None:
        white, kept_by, pixels_read = find_white(slide, xs, ys, size, tiling.white_above, among=kept, threads=threads)
        kept &= ~white
    return Patches(
        tiling=tiling,
        coords=_corners(kept, xs, ys),
        patch_size_level0=size,
        stride_level0=stride,
        squares=kept.size,
        kept_by=kept_by,
        pixels_read=pixels_read,
        tissue=tissue,
        without_tissue=int(np.count_nonzero(inside) - with_tissue),
        region=None if region is None else _corners(inside, xs, ys),
    )


def _corners(chosen, xs, ys):
    rows, columns = np.nonzero(chosen)
    return np.stack([xs[columns], ys[rows]], axis=1)


def has_tissue(tissue, slide, tiling, grid) -> np.ndarray:
    """Tell which patches of a grid have enough tissue.

    Parameters
    ----------
    tissue : slidecaf.tiles.otsu.Tissue
    slide : slidecaf.slides.Slide
    tiling : Tiling
    grid : (ndarray, ndarray, int)
        Where columns and rows start, and the side of a patch, from `lay`.

    Returns
    -------
    ndarray of bool, shape (len(ys), len(xs))
    """
    xs, ys, size = grid
    shares = tissue.shares(xs, ys, size, width=slide.width, height=slide.height)
    return shares >= max(tiling.min_tissue - LEAST_SHARE, LEAST_SHARE)


def attributes(slide, patches) -> dict:
    """Describe patches as CLAM and TRIDENT do.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    patches : Patches

    Returns
    -------
    dict
        Attributes of ``coords`` in a tiles file. ``overlap`` and ``stride`` are in px of ``patch_size``,
        ``stride_level0`` in px of level 0.
    """
    tiling = patches.tiling
    scale = scale_of(slide, tiling)
    patch_level = slide.best_level(scale)
    level = slide.levels[patch_level]
    return {
        "patch_size": tiling.patch_size,
        "patch_size_level0": patches.patch_size_level0,
        "stride": tiling.stride,
        "stride_level0": float(patches.stride_level0),
        "overlap": tiling.patch_size - tiling.stride,
        **slide_attributes(slide, scale),
        "patch_level": patch_level,
        "downsample": (level.downsample, level.downsample),
        "downsampled_level_dim": (level.width, level.height),
        "level_dim": (level.width, level.height),
    }


def slide_attributes(slide, scale) -> dict:
    """Describe a slide itself as CLAM and TRIDENT do.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    scale : float
        Px of level 0 for one px of the patches.

    Returns
    -------
    dict
        Attributes of ``coords`` in a tiles file. Where the objective's magnification is not known it is 10 / mpp, as is
        usual, or NaN without mpp. ``bounds`` is there only where the slide's are not all of it.
    """
    mpp = nan if slide.mpp is None else float(slide.mpp)
    magnification = 10 / mpp if slide.magnification is None else float(slide.magnification)
    return {
        "level0_width": slide.width,
        "level0_height": slide.height,
        "level0_mpp": mpp,
        "level0_magnification": magnification,
        "target_magnification": magnification / scale,
        **({} if slide.bounds == (0, 0, slide.width, slide.height) else {"bounds": slide.bounds}),
    }


def slide_bounds(attributes) -> tuple[int, int, int, int]:
    """Return a slide's bounds, as `slide_attributes` describes them.

    Parameters
    ----------
    attributes : mapping
        Of ``coords`` in the tiles file of a slide that could be opened.

    Returns
    -------
    (int, int, int, int)
        x, y, width and height, as of `slidecaf.slides.Slide`.
    """
    whole = 0, 0, attributes["level0_width"], attributes["level0_height"]
    return tuple(int(number) for number in attributes.get("bounds", whole))


def scale_of(slide, tiling) -> float:
    """Return px of level 0 for one px of a tiling.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    tiling : Tiling

    Returns
    -------
    float

    Raises
    ------
    SlidecafError
        If the tiling names a resolution and the slide has none or has no square pixels.
    """
    if tiling.mpp is None:
        return 1.0
    if slide.mpp is None:
        raise SlidecafError(
            f"slide {slide.name}: {slide.path} does not say its micrometres a pixel, which tiling.mpp needs; write "
            "them into the sheet's column mpp."
        )
    if not slide.is_square:
        across, down = slide.file_mpp
        raise SlidecafError(
            f"slide {slide.name}: {slide.path} has pixels of {across:g} x {down:g} micrometres, so that patches at "
            "tiling.mpp would not be square; resample it to square pixels, or, if the file is wrong, write the right "
            "number into the sheet's column mpp."
        )
    return tiling.mpp / slide.mpp


def enlarged(slide, tiling) -> str:
    """Say where a tiling asks for a finer resolution than a slide has.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    tiling : Tiling

    Returns
    -------
    str
        A sentence; empty where it does not.
    """
    if tiling.mpp is None or slide.mpp is None or slide.mpp <= ENLARGED * tiling.mpp:
        return ""
    return (
        f"slide {slide.name}: it has {slide.mpp:g} micrometres a pixel and tiling.mpp is {tiling.mpp:g}, so that "
        f"patches are enlarged {slide.mpp / tiling.mpp:.3g} times and show no more than the slide does."
    )


def _positions(length, size, stride, edge):
    """Return where patches start along one side, ascending."""
    starts = np.rint(np.arange(ceil(length / stride) + 1) * stride).astype(np.int64)
    ends = starts + size
    if edge == "cover":
        return starts[: np.searchsorted(ends, length) + 1]
    return starts[: max(1, np.searchsorted(ends, length, side="right"))]
