"""What every slide can do, whatever its format."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

PLAUSIBLE_MPP = (0.01, 50.0)
"""Micrometres a pixel that a file may state; what lies outside is no resolution of a microscope."""


@dataclass(frozen=True)
class Level:
    """One resolution of a slide.

    Attributes
    ----------
    width, height : int
        In px of this level.
    downsample : float
        Px of level 0 for one of this level.
    """

    width: int
    height: int
    downsample: float


def levels_of(sizes):
    """Describe levels by their sizes.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Widths and heights, level 0 first.

    Returns
    -------
    tuple of Level
    """
    width, height = sizes[0]
    return tuple(Level(w, h, (width / w + height / h) / 2) for w, h in sizes)


class Slide(ABC):
    """An open slide: regions of RGB pixels at one or more levels.

    Use it in a ``with`` statement, or call `close`. Regions may be read from several threads at once.

    Parameters
    ----------
    path : str
    name : str
        The slide's id.
    levels : tuple of Level
    mpp : float or None
        Micrometres a pixel at level 0.
    magnification : float or None
        The objective's power.
    """

    def __init__(self, path, name, levels, mpp=None, magnification=None):
        self.path, self.name, self.levels = str(path), name, levels
        self.mpp, self.magnification = mpp, magnification

    @property
    def width(self):
        """The width in px at level 0."""
        return self.levels[0].width

    @property
    def height(self):
        """The height in px at level 0."""
        return self.levels[0].height

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    @abstractmethod
    def close(self):
        """Close the file."""

    @abstractmethod
    def _read(self, x, y, width, height, level):
        """Return a region that lies inside the level."""

    def read(self, x, y, width, height, level=0):
        """Read a region.

        Parameters
        ----------
        x, y, width, height : int
            In px of the level; the region lies inside it.
        level : int, optional

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            RGB; what is transparent is laid on white.

        Raises
        ------
        SlideError
            If the region cannot be read.
        ValueError
            If it does not lie inside the level.
        """
        of = self.levels[level]
        if not (0 <= x < x + width <= of.width and 0 <= y < y + height <= of.height):
            raise ValueError(f"{width} x {height} px at ({x}, {y}) is not inside level {level} of {self.name}")
        return self._read(x, y, width, height, level)

    def read_padded(self, x, y, width, height, level=0):
        """Read a region that may lie partly or wholly beyond the border, where pixels are reflected.

        Parameters
        ----------
        x, y, width, height : int
            In px of the level.
        level : int, optional

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            Beyond the border as ``numpy.pad(..., mode="reflect")`` fills it.

        Raises
        ------
        SlideError
            If the region cannot be read.
        """
        of = self.levels[level]
        if min(x, y) >= 0 and x + width <= of.width and y + height <= of.height:
            return self._read(x, y, width, height, level)
        columns, rows = _reflected(x, width, of.width), _reflected(y, height, of.height)
        left, top = columns.min(), rows.min()
        inside = self._read(int(left), int(top), int(columns.max() - left) + 1, int(rows.max() - top) + 1, level)
        return inside[np.ix_(rows - top, columns - left)]

    def best_level(self, downsample):
        """Return the level to read for a wanted resolution: the smallest that still holds it.

        Parameters
        ----------
        downsample : float
            Px of level 0 for one wanted.

        Returns
        -------
        int
        """
        enough = [i for i, level in enumerate(self.levels) if level.downsample <= downsample * 1.001]
        return max(enough, key=lambda i: self.levels[i].downsample, default=0)


def _reflected(start, count, size):
    """Return the indices that `count` positions from `start` have after reflection at 0 and size - 1."""
    if size == 1:
        return np.zeros(count, int)
    period = 2 * (size - 1)
    places = np.arange(start, start + count) % period
    return np.minimum(places, period - places)


def plausible_mpp(*values):
    """Return the mean of stated resolutions, or None where one is missing or no microscope's.

    Parameters
    ----------
    *values : float, str or None
        Micrometres a pixel by axis.

    Returns
    -------
    float or None
    """
    try:
        mean = math.fsum(map(float, values)) / len(values)
    except (TypeError, ValueError):
        return None
    return mean if PLAUSIBLE_MPP[0] <= mean <= PLAUSIBLE_MPP[1] else None
