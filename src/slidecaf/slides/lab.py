"""L*a*b* colours (CIE 1976, of sRGB under daylight D65), with scikit-image's numbers; its module takes long to import.

What is computed for a pixel depends on that pixel alone, bit by bit, whatever region it is read in.
"""

import numpy as np

KNEE = 0.008856
"""Below this share of white, lightness is linear."""


def _linear_light():
    value = np.arange(256) / 255
    return np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92).astype(np.float32)


LINEAR = _linear_light()
"""Linear light, 0 to 1, of each value of sRGB."""

XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = np.array([0.95047, 1, 1.08883])
TO_XYZ = (XYZ / WHITE[:, None]).astype(np.float32)
"""Linear R, G and B to X, Y and Z as shares of white's."""

TO_LINEAR = np.linalg.inv(XYZ / WHITE[:, None]).astype(np.float32)
"""And back."""

STEPS = 2**14
"""Steps of linear light, of which each is looked up as sRGB: at the darkest, where they are widest, some 1/5 of a
value."""


def _values():
    light = np.arange(STEPS + 1) / STEPS
    value = np.where(light > 0.04045 / 12.92, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return np.rint(255 * value).astype(np.uint8)


VALUES = _values()
"""sRGB of each step of linear light."""


def to_lab(pixels) -> tuple:
    """Return the colours of pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
        RGB.

    Returns
    -------
    tuple of three ndarray of float32, shape (...)
        L*, 0 to 100, a* and b*.
    """
    light = [np.take(LINEAR, pixels[..., channel]) for channel in range(3)]
    # written out, as a product of matrices may round a pixel otherwise in a region of another shape
    x, y, z = (_response(r * light[0] + g * light[1] + b * light[2]) for r, g, b in TO_XYZ)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def to_rgb(lightness, a, b) -> np.ndarray:
    """Return the pixels of colours, the nearest that there are.

    Parameters
    ----------
    lightness, a, b : ndarray of float32, shape (...)
        As `to_lab` gives them.

    Returns
    -------
    ndarray of uint8, shape (..., 3)
        RGB; what sRGB does not reach is cut off, channel by channel.
    """
    y = (lightness + np.float32(16)) * np.float32(1 / 116)
    shares = [_share(one) for one in (y + a * np.float32(1 / 500), y, y - b * np.float32(1 / 200))]
    pixels = np.empty((*y.shape, 3), np.uint8)
    for channel, (p, q, r) in enumerate(TO_LINEAR):
        light = p * shares[0] + q * shares[1] + r * shares[2]
        np.clip(light, 0, 1, out=light)
        light *= STEPS
        light += np.float32(0.5)
        pixels[..., channel] = np.take(VALUES, light.astype(np.int32))
    return pixels


def _response(share):
    """Apply CIE's cube root, linear in the dark."""
    return np.where(share > np.float32(KNEE), np.cbrt(share), np.float32(7.787) * share + np.float32(16 / 116))


def _share(response):
    """Undo `_response`."""
    dark = (response - np.float32(16 / 116)) * np.float32(1 / 7.787)
    return np.where(response > np.float32(KNEE ** (1 / 3)), response * response * response, dark)
