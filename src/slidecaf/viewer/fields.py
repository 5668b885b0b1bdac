"""Maps and masks on the grid: what each of its pixels shows, on the mean."""

import numpy as np

from slidecaf.viewer.zoom import Pyramid, squares

PIECE = 1024
"""Px of level 0 that are read at once a side."""


class Field(Pyramid):
    """Channels of numbers that are as large as a slide.

    Parameters
    ----------
    rasters : sequence
        What has ``width``, ``height`` and ``read(x, y, width, height)``, all of one size.
    combine : callable
        From a region of each raster to an ndarray of float32, shape (h, w, channels); NaN is no value.
    close : callable
        Lets go of the rasters.
    """

    def __init__(self, rasters, combine, *, close):
        super().__init__(rasters[0].width, rasters[0].height)
        self._rasters, self._combine, self.close = rasters, combine, close

    def at(self, x, y) -> np.ndarray:
        """Return the channels of one pixel of level 0: ndarray of float32, shape (channels,)."""
        return self._read(x, y, 1, 1)[0, 0]

    def _piece(self, reduction):
        return PIECE

    def _read(self, x, y, width, height):
        return self._combine(*(raster.read(x, y, width, height) for raster in self._rasters))

    def _means(self, left, top, width, height, reduction):
        """Return the means of what has a value, 0 where nothing has, and at last which share of a square has one.

        Returns
        -------
        ndarray of float32, shape (height, width, channels + 1)
        """
        x, y, right, bottom = (place << reduction for place in (left, top, left + width, top + height))
        values = self._read(x, y, min(right, self.width) - x, min(bottom, self.height) - y)
        known = ~np.isnan(values[..., :1])
        return _reduced(np.where(known, values, 0), known.astype(np.float32), 1 << reduction)

    def _coarser(self, means, further):
        return _reduced(means[..., :-1], means[..., -1:], 1 << further)


def _reduced(values, shares, side):
    """Take means over squares, each pixel counting by its share; what squares lack at the border does not count."""
    if side > 1:
        weighted = np.concatenate([values * shares, shares, np.ones_like(shares)], axis=2)
        *sums, shares, count = np.moveaxis(np.nansum(squares(weighted, side), axis=(1, 3)), 2, 0)
        values = np.stack(sums, axis=2) / np.where(shares > 0, shares, 1)[..., None]
        shares = (shares / count)[..., None]
    return np.concatenate([values, shares], axis=2, dtype=np.float32)


def confidence(values) -> np.ndarray:
    """Turn a region of a confidence map into one channel; NaN is no value."""
    return values[..., None].astype(np.float32)


def channels(values) -> np.ndarray:
    """Hand on a region that has channels; NaN is no value."""
    return values


def mask(values) -> np.ndarray:
    """Turn a region of a mask into one channel, 1 where it is."""
    return (values > 0)[..., None].astype(np.float32)


def comparison(predicted, truth) -> np.ndarray:
    """Hold a region of a prediction against the truth: channels true, missed, false."""
    found = predicted > 0
    return np.stack([found & truth, truth & ~found, found & ~truth], axis=2).astype(np.float32)
