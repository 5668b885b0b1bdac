"""Which pixels of a slide are tissue, by their saturation at low resolution: glass, padding and pen strokes are not.

The white rule of the paper (`slidecaf.tiles.tissue`) keeps whatever is not white. Slides with black padding, a tinted
background or strokes of a pen need this one beside it.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.slides.thumbnail import average

LONGEST = 2048
"""The longest side, in px, at which a slide is looked at."""

SMOOTHED = 7
"""Px of the square of which the median is taken, so that grains of dust are no tissue."""

BLACK_UP_TO = 60
"""No channel of padding, of a pen's black or of a fold's shadow is above this at low resolution; that of tissue is."""

GLASS_FROM = 180
"""The mean of the brightest channel of what is taken for glass; darker, it is tissue and there is no glass."""

EVEN = 6.0
"""The deviation of glass's saturation, at most; what Otsu's threshold parts from tissue may be pale tissue too."""

MOST_OF_GLASS = 64
"""No glass is more saturated, of 255, however tinted."""

LEAST_SATURATION = 8
"""A slide whose every pixel is less saturated (of 255) has no colour that tissue could be told by."""

INK = ((60, 185, 0.25, 0), (185, 250, 0.65, 130))
"""Hues (first, last, in degrees), and the saturation and brightness above which they are ink: green to cyan, and blue.

Haematoxylin is bluish too, but less saturated, or darker in a nucleus; eosin, blood and DAB are at none of these hues.
"""


@dataclass(frozen=True, eq=False)
class Tissue:
    """Where a slide has tissue.

    Attributes
    ----------
    mask : ndarray of bool, shape (h, w)
        Over the whole slide, made smaller.
    threshold : int
        The saturation, of 255, above which a pixel is tissue.
    """

    mask: np.ndarray
    threshold: int

    @property
    def share(self) -> float:
        """The share of the slide that is tissue."""
        return float(self.mask.mean())

    def shares(self, xs, ys, size, *, width, height) -> np.ndarray:
        """Return the share of each patch of a grid that is tissue.

        Parameters
        ----------
        xs, ys : ndarray of int64
            Where columns and rows of patches start at level 0.
        size : int
            The side of a patch in px of level 0. Of a patch beyond the border only what is inside counts.
        width, height : int
            Of the slide at level 0.

        Returns
        -------
        ndarray of float64, shape (len(ys), len(xs))
        """
        sums = np.zeros(np.add(self.mask.shape, 1))
        sums[1:, 1:] = self.mask.cumsum(axis=0).cumsum(axis=1)
        rows, columns = self.mask.shape
        (top, bottom), (left, right) = (
            (starts * parts / length, np.minimum(starts + size, length) * parts / length)
            for starts, parts, length in ((ys, rows, height), (xs, columns, width))
        )
        area = (bottom - top)[:, None] * (right - left)
        inside = _at(sums, bottom, right) - _at(sums, top, right) - _at(sums, bottom, left) + _at(sums, top, left)
        return inside / area


def find_tissue(slide) -> Tissue:
    """Find a slide's tissue, on the slide made smaller to `LONGEST`.

    The threshold is Otsu's on the saturation (of HSV, of 255) of all pixels but black ones and ink, taken again of the
    part below it until that is as even as glass. Where it is not bright there is no glass in view, and all but black
    and ink is tissue.

    Parameters
    ----------
    slide : slidecaf.slides.Slide

    Returns
    -------
    Tissue
        What cannot be read is none.

    Raises
    ------
    SlideError
        If the slide cannot be read, or has no colour.
    """
    overview, unread = average(slide, LONGEST)
    smoothed = Image.fromarray(_median(overview)).convert("HSV")
    hue, saturation, brightest = np.moveaxis(np.asarray(smoothed), 2, 0)
    out = unread | (brightest <= BLACK_UP_TO) | _ink(hue, saturation, brightest)
    if not (saturation[~out] >= LEAST_SATURATION).any():
        if out.all():
            return Tissue(np.zeros(out.shape, bool), 255)
        raise SlideError(
            f"slide {slide.name}: {slide.path} has no colour by which tissue could be told; take tissue: otsu out of "
            "its tiling, and set white_above."
        )
    threshold = _glass_up_to(np.bincount(saturation[~out], minlength=256))
    glass = ~out & (saturation <= threshold)
    if not glass.any() or brightest[glass].mean() < GLASS_FROM:
        threshold, glass = -1, np.zeros(out.shape, bool)
    return Tissue(~out & ~glass, threshold)


def _median(pixels):
    """Return the median of each channel over the square around each pixel; beyond an edge, its pixels are repeated."""
    from skimage.filters.rank import median  # slow to import, and other tilings need none of it

    around, square = SMOOTHED // 2, np.ones((SMOOTHED, SMOOTHED), np.uint8)
    wide = np.pad(pixels, ((around, around), (around, around), (0, 0)), mode="edge")
    smoothed = [median(wide[..., channel], square) for channel in range(3)]
    return np.stack(smoothed, axis=2)[around:-around, around:-around]


def _glass_up_to(counts):
    """Return the saturation up to which pixels are as even as glass is."""
    threshold = otsu(counts)
    while _deviation(counts[: threshold + 1]) > EVEN:
        threshold = otsu(counts[: threshold + 1])
    return min(threshold, MOST_OF_GLASS)


def _deviation(counts):
    values = np.arange(len(counts))
    mean = np.average(values, weights=counts)
    return np.sqrt(np.average((values - mean) ** 2, weights=counts))


def otsu(counts) -> int:
    """Find the value that best divides a histogram in two (Otsu 1979): the variance between both parts is largest.

    Parameters
    ----------
    counts : ndarray of int, shape (n,)
        At least one above 0.

    Returns
    -------
    int
        The last value of the lower part; of equal ones the first. Where there is one value only, that.

    Examples
    --------
    >>> otsu(np.array([5, 9, 4, 0, 0, 3, 8, 2]))
    2
    """
    counts = np.asarray(counts, np.float64)
    below, values = counts.cumsum(), (counts * np.arange(len(counts))).cumsum()
    above = below[-1] - below
    if np.count_nonzero(counts) == 1:
        return int(counts.argmax())
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (values / below - (values[-1] - values) / above) ** 2
    return int(np.nan_to_num(between, nan=-1.0).argmax())


def _at(sums, rows, columns):
    """Return an integral image at places between its px, rows times columns."""
    (row, down), (column, across) = (
        (np.minimum(places.astype(np.int64), length - 2), places - np.minimum(places.astype(np.int64), length - 2))
        for places, length in ((rows, sums.shape[0]), (columns, sums.shape[1]))
    )
    across, down = across[None, :], down[:, None]
    above = sums[row][:, column] * (1 - across) + sums[row][:, column + 1] * across
    below = sums[row + 1][:, column] * (1 - across) + sums[row + 1][:, column + 1] * across
    return above * (1 - down) + below * down


def _ink(hue, saturation, brightest):
    """Tell which pixels have the colour of a pen."""
    found = np.zeros(hue.shape, bool)
    degrees = hue * (360 / 255)
    for first, last, saturated, bright in INK:
        found |= (degrees >= first) & (degrees < last) & (saturation > 255 * saturated) & (brightest > bright)
    return found
