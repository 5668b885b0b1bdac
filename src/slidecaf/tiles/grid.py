"""Where the patches of a slide are (paper, sections 3.2 and 3.3).

Squares on a regular grid from the upper left corner. Sizes count px of level 0, or px at the resolution that the
tiling names. Patches that are white in every pixel may be discarded.
"""

from dataclasses import dataclass
from math import ceil, nan

import numpy as np

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.tiles.tissue import find_white

MOST_SQUARES = 2**28
"""Of a grid: each takes some 50 bytes while it is made, and its features thousands on disk."""


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

    Examples
    --------
    The paper's patches: 336 px, a quarter of which overlap.

    >>> Tiling.from_config({"patch_size": 336, "overlap": 0.25, "white_above": 200})
    Tiling(patch_size=336, stride=252, edge='drop', white_above=200, mpp=None)
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
    def from_config(cls, config) -> "Tiling":
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
    def effort(self) -> str:
        """What the white rule decided at which level, in words."""
        if self.tiling.white_above is None:
            return f"all {self.squares} of the grid, no white rule"
        parts = [f"{count} kept by level {level}" for level, count in self.kept_by.items() if count]
        parts += [f"{self.squares - len(self.coords)} white", f"{self.pixels_read / 1e6:.1f} Mpx read"]
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


def tile(slide, tiling) -> Patches:
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
    white, kept_by, pixels_read = np.zeros((len(ys), len(xs)), bool), {}, 0
    if tiling.white_above is not None:
        white, kept_by, pixels_read = find_white(slide, xs, ys, size, tiling.white_above)
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
    scale = _scale(slide, tiling)
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
