"""L*a*b* colours in 16 bins a channel (CIE 1976, of sRGB under daylight D65), as scikit-image computes them.

The bins' ranges are fixed: those that sRGB reaches, rounded outwards. So every bin can be reached, and gray, for which
a* and b* are 0, lies near the middle of a bin, where rounding changes nothing.
"""

import numpy as np

from slidecaf.slides.lab import to_lab

BINS = 16
"""Bins a channel."""

DIMENSION = 3 * BINS

RANGES = ((0, 100), (-87, 99), (-108, 95))
"""From where to where L*, a* and b* go."""


def bins(pixels):
    """Sort each pixel's colour into bins.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (3, h, w)
        The bins, 0 to 15, of L*, a* and b*.
    """
    return np.stack([_bin(channel, *between) for channel, between in zip(to_lab(pixels), RANGES, strict=True)])


def _bin(values, low, high):
    return np.clip((values - low) * np.float32(BINS / (high - low)), 0, BINS - 1).astype(np.uint8)
