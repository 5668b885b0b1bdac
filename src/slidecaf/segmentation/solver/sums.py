"""What a problem asks to be summed over all rows; blocks of rows are fed to it."""

from dataclasses import dataclass

import numpy as np


@dataclass(eq=False)
class Turned:
    """A request for Σ r x.

    Attributes
    ----------
    weight : ndarray of float32, shape (n,)
        r.
    total : ndarray of float64, shape (D,)
        What is summed up.
    """

    weight: np.ndarray
    total: np.ndarray

    def feed(self, rows, block):
        """Add a block's part."""
        self.total += self.weight[rows] @ block


class Curved:
    """A request for x·u + c of all rows, and the sum of their products with a weight and x.

    Parameters
    ----------
    coef : ndarray, shape (D,)
        u.
    intercept : float
        c.
    weight : ndarray of float32, shape (n,)
    """

    def __init__(self, coef, intercept, weight):
        self.coef, self.intercept = coef.astype(np.float32), np.float32(intercept)
        self.weight = weight
        self.values, self.total = np.empty_like(weight), np.zeros(len(coef))

    def feed(self, rows, block):
        """Add a block's part."""
        values = block @ self.coef + self.intercept
        self.values[rows] = values
        self.total += (self.weight[rows] * values) @ block
