"""The context of a patch: its vector beside itself, standardised within its own slide.

Stains and scanners move all patches of a slide alike, and a model of other slides then takes tissue for necrosis. With
``context: slide`` a model sees (x, z), z = (x - m) / d, where m and d are mean and deviation of each feature over all
valid patches of the slide (d = 0 gives z = 0). No label has a part in it, and no other slide.

A linear model of (x, z) is a linear model of x on each slide, so that maps cost no more than without: see `on_slide`.
No z is ever stored.
"""

from dataclasses import dataclass

import numpy as np

from slidecaf.segmentation.solver.row_blocks import widen

NONE, SLIDE = "none", "slide"

ROWS = 2048
"""Patches that are summed at once; sums are made in this order, so that files and streams give the same."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Each feature over a slide's valid patches.

    Attributes
    ----------
    mean : ndarray of float64, shape (D,)
        0 where there is no valid patch.
    inverse : ndarray of float64, shape (D,)
        Of the deviation; 0 for a feature that does not vary.
    """

    mean: np.ndarray
    inverse: np.ndarray


def slide_statistics(features, valid) -> Statistics:
    """Return mean and deviation of each feature over a slide, in one pass.

    Parameters
    ----------
    features : ndarray or h5py.Dataset of float16, shape (N, D)
    valid : ndarray or h5py.Dataset of bool, shape (N,)
        Whether a patch counts.

    Returns
    -------
    Statistics

    Notes
    -----
    Means and sums of squares of blocks are joined as by Chan, Golub and LeVeque (1983, The American Statistician 37,
    242-247), in 64 bit: no small variance is lost beside a large mean.
    """
    count, mean, squares = 0, np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for start in range(0, len(features), ROWS):
        block = widen(features[start : start + ROWS][valid[start : start + ROWS]]).astype(np.float64)
        if len(block):
            own = block.mean(axis=0)
            apart, total = own - mean, count + len(block)
            squares += ((block - own) ** 2).sum(axis=0) + apart**2 * (count * len(block) / total)
            mean += apart * (len(block) / total)
            count = total
    deviation = np.sqrt(squares / max(count, 1))
    return Statistics(mean, np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0))


class InContext:
    """The matrix of patches with each vector beside itself standardised within its slide, made as it is read.

    Parameters
    ----------
    matrix : ndarray or h5py.Dataset of float16, shape (n, D)
    places : ndarray of int64, shape (n,)
        The slide of each row, as a place in
    statistics : sequence of Statistics

    Attributes
    ----------
    shape : (int, int)
        n and 2 D.
    dtype : dtype
        32 bit.
    """

    def __init__(self, matrix, places, statistics):
        self._matrix, self._places = matrix, places
        self._mean = np.array([one.mean for one in statistics], np.float32)
        self._inverse = np.array([one.inverse for one in statistics], np.float32)
        self.shape, self.dtype = (len(matrix), 2 * matrix.shape[1]), np.dtype(np.float32)

    def __len__(self):
        return len(self._matrix)

    def __getitem__(self, rows):
        """Return a slice of rows: ndarray of float32, shape (m, 2 D)."""
        values, places = widen(self._matrix[rows]), self._places[rows]
        return np.concatenate([values, (values - self._mean[places]) * self._inverse[places]], axis=1)


def on_slide(coef, intercept, statistics) -> tuple[np.ndarray, np.ndarray]:
    """Return linear models of vectors in context as models of a slide's vectors as they are stored.

    u x + v z + c = (u + v / d) x + (c - (v / d) m).

    Parameters
    ----------
    coef : ndarray of float64, shape (M, 2 D)
        u and v.
    intercept : ndarray of float64, shape (M,)
    statistics : Statistics
        Of the slide.

    Returns
    -------
    coef : ndarray of float64, shape (M, D)
    intercept : ndarray of float64, shape (M,)
    """
    dimension = len(statistics.mean)
    beside = coef[:, dimension:] * statistics.inverse
    return coef[:, :dimension] + beside, intercept - beside @ statistics.mean


class SlideContext:
    """A slide's vectors, by which models in context become models of this slide; looked at where one needs it.

    Parameters
    ----------
    features, valid
        As for `slide_statistics`.
    """

    def __init__(self, features, valid):
        self._features, self._valid, self._statistics = features, valid, None

    def of(self, coef, intercept) -> tuple[np.ndarray, np.ndarray]:
        """Return linear models of a slide's vectors as they are stored.

        Parameters
        ----------
        coef : ndarray of float64, shape (M, D), or (M, 2 D) of models in context
        intercept : ndarray of float64, shape (M,)

        Returns
        -------
        coef : ndarray of float64, shape (M, D)
        intercept : ndarray of float64, shape (M,)
        """
        if coef.shape[1] == self._features.shape[1]:
            return coef, intercept
        if self._statistics is None:
            self._statistics = slide_statistics(self._features, self._valid)
        return on_slide(coef, intercept, self._statistics)
