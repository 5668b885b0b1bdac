"""Floating-point numbers of 16 bit, which NumPy widens one at a time."""

import numpy as np

_PLACE = np.float32(2.0**112)
"""The exponents' biases are 127 and 15."""


def widen(values):
    """Return numbers of 16 bit as 32 bit, by integer operations that processors do many at once.

    Parameters
    ----------
    values : ndarray of float16 or float32

    Returns
    -------
    ndarray of float32
        The same numbers, of the same shape; a new array.
    """
    if values.dtype != np.float16:
        return values.astype(np.float32)
    bits = np.ascontiguousarray(values).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70000001)  # the sign's copies between sign and exponent go
    wide = bits.view(np.float32)
    wide *= _PLACE
    if np.abs(wide).max(initial=0) >= 2**16:  # NaN and infinity, whose exponent is one of its own
        return values.astype(np.float32)
    return wide
