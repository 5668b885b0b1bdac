"""Colours of signed values, which pages of all kinds share: blue below zero, red above it."""

import math

import numpy as np

LOW, MIDDLE, HIGH = (5, 80, 180), (250, 245, 215), (190, 10, 40)
"""R, G, B of the ends and of zero: blue is not the positive class, red is."""

_RAMP = np.array([LOW, MIDDLE, HIGH], np.float32)


def ramp(values) -> np.ndarray:
    """Return the colours of signed values.

    Parameters
    ----------
    values : ndarray of float
        Shares of the scale, -1 to 1; beyond its ends colours stay.

    Returns
    -------
    ndarray of float32, shape (..., 3)

    Examples
    --------
    >>> ramp([-1, 0, 2]).tolist()
    [[5.0, 80.0, 180.0], [250.0, 245.0, 215.0], [190.0, 10.0, 40.0]]
    """
    place = np.clip(np.nan_to_num(np.asarray(values, np.float32)), -1, 1)[..., None]
    end = np.where(place < 0, _RAMP[0], _RAMP[2])
    return _RAMP[1] + np.abs(place) * (end - _RAMP[1])


def nice_scale(values) -> float:
    """Choose where colours end: 1, 2 or 5 times a power of ten, the same both ways from zero.

    Parameters
    ----------
    values : ndarray of float
        Those that are shown.

    Returns
    -------
    float
        At least as large as 99 % of the values' sizes.

    Examples
    --------
    >>> nice_scale([0.3, -1.2]), nice_scale([])
    (2.0, 1.0)
    """
    known = np.abs(np.asarray(values, np.float64))
    wanted = float(np.quantile(known, 0.99)) if known.size else 1.0
    if wanted <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= wanted * (1 - 1e-6))
