"""Samples of any kind to RGB of 8 bit."""

import numpy as np


def to_uint8(samples, top) -> np.ndarray:
    """Scale samples to 8 bit.

    Parameters
    ----------
    samples : ndarray of bool or unsigned integers
    top : int
        The value of white, 1 to 65535.

    Returns
    -------
    ndarray of uint8
        255 v / top, rounded: black stays 0, white and what is above it becomes 255. For 16 bit that is v / 257.
    """
    if top == 255:
        return samples
    return np.minimum((samples.astype(np.uint32) * 255 + top // 2) // top, 255).astype(np.uint8)


def grey_to_rgb(grey) -> np.ndarray:
    """Repeat a grey image over three channels.

    Parameters
    ----------
    grey : ndarray of uint8, shape (h, w)

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    return np.repeat(grey[..., None], 3, axis=2)


def palette_to_rgb(indices, palette) -> np.ndarray:
    """Look colours up.

    Parameters
    ----------
    indices : ndarray of bool or unsigned integers, shape (h, w)
    palette : ndarray of uint16, shape (3, colours)
        A TIFF colour map: 16 bit, or 8 bit as some programs write it, which is taken where no value is above 255.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    return to_uint8(palette, 65535 if palette.max() > 255 else 255).T.astype(np.uint8)[indices.astype(np.intp)]


def cmyk_to_rgb(cmyk) -> np.ndarray:
    """Turn ink into light, without a colour profile.

    Parameters
    ----------
    cmyk : ndarray of uint8, shape (h, w, 4)
        0 is no ink.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        (255 - ink) (255 - black) / 255, rounded.
    """
    light = 255 - cmyk.astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def ycbcr_to_rgb(ycbcr) -> np.ndarray:
    """Turn luma and colour differences into RGB.

    Parameters
    ----------
    ycbcr : ndarray of uint8, shape (h, w, 3)
        Of the full range, as in JPEG files (ITU-R BT.601; JFIF 1.02).

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    luma = ycbcr[..., 0].astype(np.float32)
    blue, red = (ycbcr[..., channel].astype(np.float32) - 128 for channel in (1, 2))
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=-1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def on_white(rgb, alpha, *, premultiplied=False) -> np.ndarray:
    """Lay an image on white.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
    alpha : ndarray of uint8, shape (h, w)
        255 is opaque.
    premultiplied : bool, optional
        Whether the colours are already multiplied by alpha ("associated" in TIFF).

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    if alpha.size and alpha.min() == 255:
        return np.ascontiguousarray(rgb)
    colour, opacity = rgb.astype(np.uint32), alpha.astype(np.uint32)[..., None]
    share = 255 * colour if premultiplied else opacity * colour
    return np.minimum((share + 255 * (255 - opacity) + 127) // 255, 255).astype(np.uint8)
