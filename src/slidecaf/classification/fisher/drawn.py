"""The memberships that `slidecaf.classification.fisher.maps` drew, read back from the drawing.

A drawing has the picture itself beside what is laid over it, so that the colours of memberships, and from these the
memberships, can be told to some hundredths of the mixture's mean.
"""

from itertools import pairwise

import numpy as np
from PIL import Image

from slidecaf.classification.fisher.maps import BACKGROUND, GAP, OPACITY, RAMP
from slidecaf.errors import SlidecafError
from slidecaf.files.faults import unread


def undraw(drawn) -> tuple[np.ndarray, np.ndarray]:
    """Read memberships from a drawing.

    Parameters
    ----------
    drawn : ndarray of uint8, shape (h, 3 w + 2 GAP, 3)
        From `slidecaf.classification.fisher.maps.draw`.

    Returns
    -------
    membership : ndarray of float32, shape (h, w)
        As a multiple of the mixture's mean, 2 where it is twice that or more; NaN where no place is.
    foreground : ndarray of bool, shape (h, w)
        Where it is above the mean.

    Raises
    ------
    ValueError
        If it has another shape.
    """
    drawn = np.asarray(drawn)
    width, rest = divmod(drawn.shape[1] - 2 * GAP, 3)
    if drawn.ndim != 3 or drawn.shape[2] != 3 or rest or width < 1:
        raise ValueError("no three pictures side by side")
    starts = [place * (width + GAP) for place in range(3)]
    picture, over, kept = (drawn[:, start : start + width].astype(np.float64) for start in starts)
    grey = picture.mean(axis=2, keepdims=True)
    # the drawing's numbers were cut off, by a half on the mean
    membership = _place((over + 0.5 - (1 - OPACITY) * grey) / OPACITY)
    membership[(over == picture).all(axis=2)] = np.nan
    # what is nearly white looks alike in both
    faded = 255 - BACKGROUND * (255 - grey)
    alike = (np.abs(np.floor(faded) - picture) <= 1).all(axis=2)
    with np.errstate(invalid="ignore"):
        foreground = np.where(alike, membership > 1, (kept == picture).all(axis=2)) & ~np.isnan(membership)
    return membership.astype(np.float32), foreground


def read_drawn(path) -> tuple[np.ndarray, np.ndarray]:
    """Read memberships from a drawing's file: as `undraw`.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    SlidecafError
        If it cannot be read, or is no drawing of memberships.
    """
    try:
        with Image.open(path) as opened:
            drawn = np.asarray(opened.convert("RGB"))
    except Exception as error:  # a damaged picture makes the library raise anything
        raise unread(path, error) from error
    try:
        return undraw(drawn)
    except ValueError as error:
        raise SlidecafError(f"{path} is no drawing of memberships ({error}); delete it and run again.") from error


def _place(colours):
    """Return where on the ramp colours are, 0 to 2: at the nearest point of its two lines."""
    distances, places = [], []
    for number, (start, end) in enumerate(pairwise(RAMP)):
        share = np.clip((colours - start) @ (end - start) / np.square(end - start).sum(), 0, 1)
        distances.append(np.square(colours - (start + share[..., None] * (end - start))).sum(axis=-1))
        places.append(number + share)
    return np.where(distances[0] <= distances[1], *places)
