"""Pixels of any kind to 8-bit RGB."""

import numpy as np


def to_8_bit(values):
    """Bring samples to 8 bit.

    Parameters
    ----------
    values : ndarray of bool, uint8 or uint16

    Returns
    -------
    ndarray of uint8
        16 bit: v / 257, rounded, so that black stays black and white white. 1 bit: 0 and 255.

    Raises
    ------
    ValueError
        If samples are of another kind.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    raise ValueError(f"its samples are {values.dtype}, not of 1, 8 or 16 bit")


def on_white(color, alpha, *, premultiplied=False):
    """Lay transparent pixels on white.

    Parameters
    ----------
    color : ndarray of uint8, shape (..., C)
    alpha : ndarray of uint8, shape (...)
    premultiplied : bool, optional
        Whether colors were multiplied by alpha already.

    Returns
    -------
    ndarray of uint8, shape (..., C)
    """
    if (alpha == 255).all():
        return np.ascontiguousarray(color)
    color, alpha = color.astype(np.uint32), alpha.astype(np.uint32)[..., None]
    covered = 255 * color if premultiplied else color * alpha
    return np.minimum((covered + 255 * (255 - alpha) + 127) // 255, 255).astype(np.uint8)


def cmyk_to_rgb(ink):
    """Turn inks into RGB, each ink and black as a filter.

    Parameters
    ----------
    ink : ndarray of uint8, shape (..., 4)
        Cyan, magenta, yellow, black; 255 is full.

    Returns
    -------
    ndarray of uint8, shape (..., 3)
    """
    free = 255 - ink.astype(np.uint32)
    return ((free[..., :3] * free[..., 3:] + 127) // 255).astype(np.uint8)
