"""Dark hair taken off skin: found by closings along lines, and drawn over from both sides (Lee et al. 1997).

Three steps, as in that work ("DullRazor"). A px is hair where the largest of closings along three directions is
brighter than it, in some channel: along a hair a closing leaves it as it is, across it the hair is gone. Of what is
found, what is thin is kept where it is long, along any of 16 directions, and a little beyond, where it bends. Every
such px is interpolated between skin on both sides of the hair, and what was drawn so is smoothed by a median. Sizes
count at `LONGEST` px: of a larger image hair is found and drawn over in a smaller copy, which is laid into the image
where the hair was.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from slidecaf.errors import SlideError
from slidecaf.slides import open_slide
from slidecaf.slides.base import Slide

LONGEST = 512
"""Px of the longer side at which hair is found."""

MOST = 10**8
"""Px of an image, which is held as a whole."""

LENGTH = 11
"""Px of the lines along which is closed: more than a hair is wide."""

DARKER = 18
"""Grey levels by which a hair is darker than its closing in some channel, at least."""

LONG, THIN = 23, 9
"""Px that a hair is long at least in one direction, and wide at most across it."""

BESIDE = 2
"""Px beyond a hair's edge from which skin is taken."""

FARTHEST = 30
"""Px within which skin is looked for."""

SIDE = 5
"""Px of the median."""

ANGLES = 16
"""Directions in which a hair may be long."""

BEND = 15
"""Px beyond a straight part of `LONG` px that belong to the hair too."""

ALONG = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps down and across: horizontal, vertical and both diagonals."""

ACROSS = (1, 0, 3, 2)
"""Which of these lies across each."""


def find_hair(pixels) -> np.ndarray:
    """Find dark hair.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB, of a longer side of `LONGEST` px or less.

    Returns
    -------
    ndarray of bool, shape (h, w)
    """
    darker = np.zeros(pixels.shape[:2], bool)
    for channel in range(3):
        values = pixels[..., channel]
        closed = np.max([ndimage.grey_closing(values, footprint=_line(step)) for step in ALONG[:3]], axis=0)
        darker |= closed.astype(np.int16) - values >= DARKER
    thin = darker & (runs(darker).min(axis=0) <= THIN)
    lines = [ndimage.binary_opening(thin, _segment(angle)) for angle in np.arange(0, np.pi, np.pi / ANGLES)]
    # where a hair bends, ends or is crossed, no line goes through it
    return ndimage.binary_dilation(np.any(lines, axis=0), np.ones((3, 3)), BEND, mask=thin)


def remove_hair(pixels) -> np.ndarray:
    """Draw over dark hair.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        The same px where there is no hair.
    """
    height, width = pixels.shape[:2]
    factor = max(height, width) / LONGEST
    if factor <= 1:
        hair = find_hair(pixels)
        return _drawn_over(pixels, hair) if hair.any() else pixels
    small = np.asarray(Image.fromarray(pixels).resize((round(width / factor), round(height / factor)), Image.BOX))
    hair = find_hair(small)
    if not hair.any():
        return pixels
    skin = np.asarray(Image.fromarray(_drawn_over(small, hair)).resize((width, height), Image.BILINEAR))
    where = np.asarray(Image.fromarray(_widened(hair)).resize((width, height), Image.NEAREST))
    return np.where(where[..., None], skin, pixels)


class Shaved(Slide):
    """A slide without hair, held as a whole; level 0 alone.

    Parameters
    ----------
    slide : Slide
        Closed with it.

    Raises
    ------
    SlideError
        If it cannot be read, or is too large to be held.
    """

    def __init__(self, slide: Slide):
        if slide.width * slide.height > MOST:
            raise SlideError(
                f"slide {slide.name}: {slide.path} has {slide.width} x {slide.height} px, and hair_removal is for "
                f"images of up to {MOST // 10**6} million; write hair_removal: false."
            )
        self._whole = slide
        self._pixels = remove_hair(slide.read(0, 0, slide.width, slide.height))
        super().__init__(
            slide.name,
            slide.path,
            slide.levels[:1],
            mpp=slide.mpp,
            bounds=slide.bounds,
            magnification=slide.magnification,
        )
        self.mpp_from, self.file_mpp, self.orientation = slide.mpp_from, slide.file_mpp, slide.orientation

    def _release(self):
        self._whole.close()

    def _read(self, x, y, width, height, level):
        return self._pixels[y : y + height, x : x + width].copy()


def opened_as(path, *, shaved: bool, **named) -> Slide:
    """Open a slide, with or without its hair.

    Parameters
    ----------
    path : path-like
    shaved : bool
        Whether hair is drawn over.
    **named
        As for `slidecaf.slides.open_slide`.

    Returns
    -------
    Slide

    Raises
    ------
    SlideError
        As `slidecaf.slides.open_slide` and `Shaved`.
    """
    slide = open_slide(path, **named)
    if not shaved:
        return slide
    try:
        return Shaved(slide)
    except BaseException:
        slide.close()
        raise


def runs(found) -> np.ndarray:
    """Return how long the runs of px through each px are.

    Parameters
    ----------
    found : ndarray of bool, shape (h, w)

    Returns
    -------
    ndarray of int32, shape (4, h, w)
        Along each direction of `ALONG`; 0 of px that are not found.
    """
    lengths = [_both_ways(found.T, 0).T, *(_both_ways(found, across) for across in (0, 1, -1))]
    return np.stack(lengths) * found


def _both_ways(found, across):
    """Return runs along one step down and `across` px to the right."""
    return _from_above(found, across) + _from_above(found[::-1], -across)[::-1] - 1


def _from_above(found, across):
    counted, before = np.zeros(found.shape, np.int32), np.zeros(found.shape[1] + 2, np.int32)
    for row, own in enumerate(found):
        shifted = before[1 - across : 1 - across + found.shape[1]]
        counted[row] = before[1:-1] = np.where(own, shifted + 1, 0)
    return counted


def _line(step):
    """Return a line through the middle of a square, along one of `ALONG`."""
    footprint, middle = np.zeros((LENGTH, LENGTH), bool), LENGTH // 2
    for k in range(-middle, middle + 1):
        footprint[middle + k * step[0], middle + k * step[1]] = True
    return footprint


def _segment(angle):
    """Return a line of `LONG` px through the middle of a square, at an angle."""
    footprint, middle = np.zeros((LONG, LONG), bool), LONG // 2
    down, across = np.sin(angle), np.cos(angle)
    nearer = max(abs(down), abs(across))  # a step a px of the side that the line is nearer to leaves no gap
    steps = np.arange(-round(middle * nearer), round(middle * nearer) + 1) / nearer
    rows, columns = (np.rint(middle + steps * part).astype(int) for part in (down, across))
    footprint[rows, columns] = True
    return footprint


def _widened(hair):
    """Return hair with its edges, which the skin beside it has blurred."""
    return ndimage.binary_dilation(hair, np.ones((3, 3), bool))


def _drawn_over(pixels, hair):
    """Interpolate hair between skin on both sides of it, and smooth that."""
    hair = _widened(hair)
    along = runs(hair).argmax(axis=0)
    drawn = pixels.copy()
    rows, columns = np.nonzero(hair)
    steps = np.array(ALONG)[np.array(ACROSS)[along[rows, columns]]]
    sides = [_beside(hair, rows, columns, sign * steps) for sign in (1, -1)]
    near, far = (np.where(found > 0, found, 0) for found in sides)
    values = [
        pixels[rows + sign * steps[:, 0] * distance, columns + sign * steps[:, 1] * distance].astype(np.float64)
        for sign, distance in ((1, near), (-1, far))
    ]
    # skin at one side alone is taken as it is; with none the px stays
    weights = np.where((near > 0) & (far > 0), far / np.maximum(near + far, 1), near > 0)[:, None]
    drawn[rows, columns] = np.rint(weights * values[0] + (1 - weights) * values[1]).astype(np.uint8)
    smooth = np.stack([ndimage.median_filter(drawn[..., channel], SIDE) for channel in range(3)], axis=2)
    return np.where(hair[..., None], smooth, drawn)


def _beside(hair, rows, columns, steps):
    """Return how many steps it is from each px to skin, 0 where there is none within `FARTHEST` or in the image."""
    height, width = hair.shape
    found = np.zeros(len(rows), int)
    for distance in range(1, FARTHEST + 1):
        down, across = rows + steps[:, 0] * distance, columns + steps[:, 1] * distance
        inside = (down >= 0) & (down < height) & (across >= 0) & (across < width)
        skin = np.zeros(len(rows), bool)
        skin[inside] = ~hair[down[inside], across[inside]]
        found[skin & (found == 0)] = distance
    further = found + BESIDE - 1
    down, across = rows + steps[:, 0] * further, columns + steps[:, 1] * further
    inside = (found > 0) & (down >= 0) & (down < height) & (across >= 0) & (across < width)
    inside[inside] = ~hair[down[inside], across[inside]]
    return np.where(inside, further, found)
