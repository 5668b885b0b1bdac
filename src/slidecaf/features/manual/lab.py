"""L*a*b* colours in 16 bins a channel (CIE 1976, of sRGB under daylight D65), as scikit-image computes them.

The bins' ranges are fixed: those that sRGB reaches, rounded outwards. So every bin can be reached, and gray, for which
a* and b* are 0, lies near the middle of a bin, where rounding changes nothing.
"""

import numpy as np

BINS = 16
"""Bins a channel."""

DIMENSION = 3 * BINS

RANGES = ((0, 100), (-87, 99), (-108, 95))
"""From where to where L*, a* and b* go."""

KNEE = 0.008856
"""Below this share of white, lightness is linear."""


def _linear_light():
    value = np.arange(256) / 255
    return np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92).astype(np.float32)


LINEAR = _linear_light()
"""Linear light, 0 to 1, of each value of sRGB."""

# scikit-image's numbers, but not its module, which takes a fifth of a second to import
XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = np.array([0.95047, 1, 1.08883])
TO_XYZ = (XYZ / WHITE[:, None]).astype(np.float32)
"""Linear R, G and B to X, Y and Z as shares of white's."""


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
    light = [np.take(LINEAR, pixels[:, :, channel]) for channel in range(3)]
    # written out, as a product of matrices may round a pixel otherwise in a region of another shape
    x, y, z = (_response(r * light[0] + g * light[1] + b * light[2]) for r, g, b in TO_XYZ)
    channels = 116 * y - 16, 500 * (x - y), 200 * (y - z)
    return np.stack([_bin(channel, *between) for channel, between in zip(channels, RANGES, strict=True)])


def _response(share):
    """Apply CIE's cube root, linear in the dark."""
    return np.where(share > np.float32(KNEE), np.cbrt(share), np.float32(7.787) * share + np.float32(16 / 116))


def _bin(values, low, high):
    return np.clip((values - low) * np.float32(BINS / (high - low)), 0, BINS - 1).astype(np.uint8)
