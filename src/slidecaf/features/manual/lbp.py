"""Local binary patterns, uniform and invariant to rotation (Ojala et al., TPAMI 2002): 8 neighbours at radius 1.

A pixel's pattern tells which neighbours are at least as bright as the pixel itself. Patterns with at most two changes
around the circle are uniform; their code is the number of such neighbours. All others share one code.
"""

import numpy as np

DIMENSION = 10
"""Codes: 0 to 8 of uniform patterns, 9 of all others."""

CIRCLE = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
"""Steps in rows and columns to the neighbours, once around."""

DIAGONAL, STRAIGHT = 70711, 29289
"""The diagonal neighbour lies on the circle, between four pixels: √½ of a pixel away along both sides, in 1 / 100,000.

Its value is that of a bilinear interpolation. Whole numbers compare exactly; in floats, equal pixels would differ.
"""


def _uniform_codes():
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(1)
    return np.where(changes <= 2, bits.sum(1), DIMENSION - 1).astype(np.uint8)


CODES = _uniform_codes()
"""The code of each pattern, a bit a neighbour."""


def codes(gray):
    """Code each pixel's pattern.

    Parameters
    ----------
    gray : ndarray of uint8, shape (h, w)

    Returns
    -------
    ndarray of uint8, shape (h - 2, w - 2)
        0 to 9; pixels at the border lack neighbours and are left out.
    """
    height, width = gray.shape

    def seen(values, row, column):
        return values[1 + row : height - 1 + row, 1 + column : width - 1 + column]

    # Interpolated ≥ pixel, where D + S = 1: D² corner + D S (two beside) + S² pixel ≥ (D² + 2 D S + S²) pixel.
    # Without S² pixel, and divided by D:
    corner, beside = gray * np.int32(DIAGONAL), gray * np.int32(STRAIGHT)
    least = seen(corner, 0, 0) + 2 * seen(beside, 0, 0)
    patterns = np.zeros((height - 2, width - 2), np.uint8)
    for bit, (row, column) in enumerate(CIRCLE):
        if row and column:
            sides = seen(beside, row, 0) + seen(beside, 0, column)
            above = seen(corner, row, column) + sides >= least
        else:
            above = seen(gray, row, column) >= seen(gray, 0, 0)
        patterns |= above.view(np.uint8) << np.uint8(bit)
    return CODES[patterns]
