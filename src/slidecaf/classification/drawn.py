"""The values that `slidecaf.classification.class_maps` drew, read back from the drawing.

A drawing has the picture itself beside what is laid over it, so that the colours of a map, and from these its values,
can be told to some hundredths of its middle value.
"""

from itertools import pairwise

import numpy as np
from PIL import Image

from slidecaf.classification.class_maps import BACKGROUND, GAP, OPACITY, RAMP
from slidecaf.errors import SlidecafError
from slidecaf.files.faults import unread


def undraw(drawn, above=1.0, *, attends=False) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read values from a drawing.

    Parameters
    ----------
    drawn : ndarray of uint8, shape (h, 3 w + 2 GAP, 3), or with attention (h, 4 w + 3 GAP, 3)
        From `slidecaf.classification.class_maps.draw`.
    above : float, optional
        The threshold of the foreground, as a multiple of the middle value.
    attends : bool, optional
        Whether it has attention.

    Returns
    -------
    values : ndarray of float32, shape (h, w)
        As multiples of the middle value (of memberships the mixture's mean), 2 where it is twice that or more; NaN
        where there is none.
    foreground : ndarray of bool, shape (h, w)
        Where it is above the threshold.
    attention : ndarray of float32, shape (h, w), or None
        As multiples of half the largest value; None without.

    Raises
    ------
    ValueError
        If it has another shape.
    """
    drawn, count = np.asarray(drawn), 4 if attends else 3
    width, rest = divmod(drawn.shape[1] - (count - 1) * GAP, count)
    if drawn.ndim != 3 or drawn.shape[2] != 3 or rest or width < 1:
        raise ValueError(f"no {'four' if attends else 'three'} pictures side by side")
    starts = [place * (width + GAP) for place in range(count)]
    picture, over, kept, *looked = (drawn[:, start : start + width].astype(np.float64) for start in starts)
    grey = picture.mean(axis=2, keepdims=True)
    values = _values(picture, grey, over)
    attention = _values(picture, grey, looked[0]).astype(np.float32) if attends else None
    # what is nearly white looks alike in both
    faded = 255 - BACKGROUND * (255 - grey)
    alike = (np.abs(np.floor(faded) - picture) <= 1).all(axis=2)
    with np.errstate(invalid="ignore"):
        foreground = np.where(alike, values > above, (kept == picture).all(axis=2)) & ~np.isnan(values)
    return values.astype(np.float32), foreground, attention


def _values(picture, grey, over):
    """Return the values that were laid over a picture."""
    # the drawing's numbers were cut off, by a half on the mean
    values = _place((over + 0.5 - (1 - OPACITY) * grey) / OPACITY)
    values[(over == picture).all(axis=2)] = np.nan
    return values


def read_drawn(path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read values from a drawing's file: as `undraw`.

    Parameters
    ----------
    path : path-like
        That `slidecaf.classification.class_maps.write_map` wrote.

    Raises
    ------
    SlidecafError
        If it cannot be read, or is no drawing of a map.
    """
    try:
        with Image.open(path) as opened:
            drawn, said = np.asarray(opened.convert("RGB")), dict(opened.text)
    except Exception as error:  # a damaged picture makes the library raise anything
        raise unread(path, error) from error
    try:
        above = float(said["threshold"]) / float(said["middle"]) if said.get("middle") else 1.0
        return undraw(drawn, above, attends="attention" in said)
    except ValueError as error:
        raise SlidecafError(f"{path} is no drawing of a map ({error}); delete it and run again.") from error


def _place(colours):
    """Return where on the ramp colours are, 0 to 2: at the nearest point of its two lines."""
    distances, places = [], []
    for number, (start, end) in enumerate(pairwise(RAMP)):
        share = np.clip((colours - start) @ (end - start) / np.square(end - start).sum(), 0, 1)
        distances.append(np.square(colours - (start + share[..., None] * (end - start))).sum(axis=-1))
        places.append(number + share)
    return np.where(distances[0] <= distances[1], *places)
