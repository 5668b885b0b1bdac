"""The grid of tiles in which slides and layers are drawn, and means over its pixels.

At reduction k a pixel stands for a square of 2^k px of level 0, counted from the slide's upper left corner; a tile has
`SIDE` such pixels a side. At the right and lower border the last pixel may stand for less. No pixel is ever placed by
anything but whole numbers, so that whatever is drawn on the grid fits together.
"""

import threading
from abc import ABC, abstractmethod

import numpy as np

from slidecaf.errors import SlideError
from slidecaf.logs import logger
from slidecaf.segmentation.overlay import UNREAD

SIDE = 256
"""Px of a tile's side."""

OVERVIEW = 2048
"""The most px of the longer side of an overview, from which coarser tiles are drawn."""

PIECE = 2048
"""Px of level 0, or of a slide's level, that are read at once a side."""


def reductions(width, height) -> int:
    """Return the reduction at which a slide is a single tile: the coarsest one.

    Parameters
    ----------
    width, height : int
        In px of level 0.

    Returns
    -------
    int
    """
    return fitting(max(width, height), SIDE)


def fitting(length, most):
    """Return the smallest reduction at which `length` px of level 0 are at most `most` px."""
    return max(0, (-(-length // most) - 1).bit_length())


def extent(length, reduction):
    """Return how many px a side has at a reduction, the last one perhaps in part."""
    return (length + (1 << reduction) - 1) >> reduction


def tile_box(width, height, reduction, column, row) -> tuple[int, int, int, int] | None:
    """Return where a tile lies.

    Parameters
    ----------
    width, height : int
        Of the slide in px of level 0.
    reduction, column, row : int

    Returns
    -------
    (int, int, int, int) or None
        Left, top, width and height in px of the reduction; None where the grid has no such tile.
    """
    if not 0 <= reduction <= reductions(width, height):
        return None
    across, down = extent(width, reduction), extent(height, reduction)
    left, top = column * SIDE, row * SIDE
    if not (0 <= left < across and 0 <= top < down):
        return None
    return left, top, min(SIDE, across - left), min(SIDE, down - top)


class Pyramid(ABC):
    """Means over the pixels of the grid, of something that is as large as a slide.

    Fine reductions are read when they are asked for, coarse ones from an overview that is made at the first
    of them and kept.

    Parameters
    ----------
    width, height : int
        In px of level 0.
    """

    def __init__(self, width, height):
        self.width, self.height = width, height
        self._base = fitting(max(width, height), OVERVIEW)
        self._overview, self._lock = None, threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are held."""
        return 0 if self._overview is None else self._overview.nbytes

    def tile(self, reduction, column, row) -> np.ndarray:
        """Return the means of a tile's pixels.

        Parameters
        ----------
        reduction, column, row : int
            Of a tile that `tile_box` knows.

        Returns
        -------
        ndarray, shape (h, w, channels)
            As `_means` gives them.
        """
        left, top, width, height = tile_box(self.width, self.height, reduction, column, row)
        if reduction < self._base:
            return self._whole(left, top, width, height, reduction)
        further = reduction - self._base
        overview = self.overview()
        return self._coarser(
            overview[top << further : (top + height) << further, left << further : (left + width) << further], further
        )

    def overview(self) -> np.ndarray:
        """Return the whole in at most `OVERVIEW` px a side.

        Returns
        -------
        ndarray, shape (h, w, channels)
        """
        with self._lock:
            if self._overview is None:
                across, down = extent(self.width, self._base), extent(self.height, self._base)
                self._overview = self._whole(0, 0, across, down, self._base, lenient=True)
            return self._overview

    def _whole(self, left, top, width, height, reduction, *, lenient=False):
        """Put a box together from pieces that need little memory; with `lenient`, from those that can be read."""
        step = max(1, self._piece(reduction) >> reduction)
        rows, failed, read = [], None, 0
        for y in range(top, top + height, step):
            pieces = []
            for x in range(left, left + width, step):
                size = min(step, left + width - x), min(step, top + height - y)
                try:
                    pieces.append(self._means(x, y, *size, reduction))
                    read += 1
                except SlideError as error:
                    if not lenient:
                        raise
                    failed = error
                    logger.warning("%s This part is grey in the viewer.", error)
                    pieces.append(np.full((size[1], size[0], 3), UNREAD.fill, np.uint8))
            rows.append(np.concatenate(pieces, axis=1))
        if failed is not None and not read:
            raise failed
        return np.concatenate(rows)

    def _piece(self, reduction):
        """Return how many px of level 0 a piece may have a side."""
        return PIECE

    @abstractmethod
    def _means(self, left, top, width, height, reduction):
        """Return the means of a box of the grid's pixels."""

    @abstractmethod
    def _coarser(self, means, further):
        """Return means over squares of 2^further px of means; the last ones may be cut off."""


def squares(values, side) -> np.ndarray:
    """Cut an array into squares, those at the right and lower border filled up with NaN.

    Parameters
    ----------
    values : ndarray of float32, shape (h, w, channels)
    side : int
        From 1.

    Returns
    -------
    ndarray of float32, shape (rows, side, columns, side, channels)
    """
    height, width = (-(-length // side) * side for length in values.shape[:2])
    if values.shape[:2] != (height, width):
        rest = ((0, height - values.shape[0]), (0, width - values.shape[1]), (0, 0))
        values = np.pad(values, rest, constant_values=np.nan)
    return values.reshape(height // side, side, width // side, side, values.shape[2])
