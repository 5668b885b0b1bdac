"""The whole image as one patch: its pixels, from a level that is fine enough and with bounded memory."""

import numpy as np

from slidecaf.slides.thumbnail import shrink

AT_ONCE = 2**24
"""Px of a level that are read at once: 48 MiB of RGB."""

FINER = 4
"""How many times as large as wanted a larger level is made by means of its px, before it is resized."""


def fitted(width, height, size, fit) -> tuple[int, int]:
    """Return how large an image becomes within a square.

    Parameters
    ----------
    width, height : int
        Of the image, in px.
    size : int
        The square's side in px.
    fit : {"stretch", "pad"}
        Fill the square, or keep the shape: the longer side fills it.

    Returns
    -------
    (int, int)
        Width and height in px.

    Examples
    --------
    >>> fitted(1000, 500, 224, "stretch"), fitted(1000, 500, 224, "pad")
    ((224, 224), (224, 112))
    """
    if fit == "stretch":
        return size, size
    longest = max(width, height)
    return tuple(max(1, round(side * size / longest)) for side in (width, height))


def read_whole(slide, width, height) -> np.ndarray:
    """Read a whole slide, to be resized.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    width, height : int
        To which it will be resized, in px.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        RGB: the coarsest level that is at least so large (or 1 % smaller), and level 0 of a smaller slide. A level of
        more than `AT_ONCE` px is read by blocks and comes `FINER` times as large as it will be, each px the mean of
        those that it stands for.

    Raises
    ------
    SlideError
        If a part of it cannot be read.
    """
    index = slide.best_level(min(slide.width / width, slide.height / height))
    level = slide.levels[index]
    if level.width * level.height <= AT_ONCE:
        return slide.read(0, 0, level.width, level.height, index)
    return shrink(slide, index, min(FINER * width, level.width), min(FINER * height, level.height))[0]


def enlarged(values, shape) -> np.ndarray:
    """Lay values of places over a picture: between the middles of places they change evenly, beyond they stay.

    Parameters
    ----------
    values : ndarray, shape (..., h, w)
        Each place covers an equal part of the picture.
    shape : (int, int)
        Height and width of the picture in px.

    Returns
    -------
    ndarray of float32, shape (..., *shape)

    Examples
    --------
    >>> enlarged(np.array([[0, 4]]), (1, 4)).tolist()
    [[0.0, 1.0, 3.0, 4.0]]
    """
    values = np.asarray(values, np.float32)
    for axis, wanted in zip((-2, -1), shape, strict=True):
        count = values.shape[axis]
        places = np.clip((np.arange(wanted) + 0.5) * count / wanted - 0.5, 0, count - 1)
        before = np.floor(places).astype(int)
        share = (places - before).astype(np.float32).reshape((-1, 1) if axis == -2 else (-1,))
        after = np.minimum(before + 1, count - 1)
        values = np.take(values, before, axis) * (1 - share) + np.take(values, after, axis) * share
    return values


def over_square(maps, side: int, border: int = 0) -> np.ndarray:
    """Lay maps over the squares that they are of.

    Parameters
    ----------
    maps : array_like, shape (..., h, w)
    side : int
        Of the squares, in px.
    border : int, optional
        Places at each side of the square that maps lack: they have the values of the outermost ones.

    Returns
    -------
    ndarray of float32, shape (..., side, side)
    """
    maps = np.asarray(maps)
    sides = [(0, 0)] * (maps.ndim - 2) + [(border, border)] * 2
    return enlarged(np.pad(maps, sides, mode="edge"), (side, side))
