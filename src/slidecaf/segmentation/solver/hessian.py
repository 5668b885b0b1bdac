"""The Hessian of a problem in 32 bit, kept up to date as rows become active or not, and its Cholesky factor."""

import numpy as np

from slidecaf.segmentation.solver import blas

SHIFT = 1e-6
"""Of its mean diagonal, by which a Hessian that is not definite in 32 bit is shifted, and ten times more each time."""

RARE = 10
"""How many times less a feature may vary among a problem's rows than among all, for rows to be taken off the sum over
all: what is left of a feature that the problem hardly has is mostly rounding, and its own scale enlarges that."""

PANEL = 64
"""Columns of a Hessian that are filled at once."""


def float_sum(values) -> float:
    """Return the sum of values, added up in 64 bit.

    Parameters
    ----------
    values : ndarray

    Returns
    -------
    float
    """
    return float(values.sum(dtype=np.float64))


class Gram:
    """G of a problem, and the factor of a Hessian made of it; a request for the rows to be added and taken off.

    Parameters
    ----------
    weight : ndarray of float32, shape (n,)
    own : Own
    square, total : ndarray
        The lower triangle of Σ x xᵀ over all rows, and Σ x.
    step : int
        Rows of a block, at most.
    """

    def __init__(self, weight, own, square, total, step):
        self.weight, self.own, self.factored, self._shift = weight, own, None, 0.0
        self._held = np.ones_like(weight)
        self._total, self._count = total.copy(), float_sum(self._held)
        self._make_room(square, step)
        if own.inverse.max() > RARE:
            self._start_anew()

    def _make_room(self, square, step):
        self._square = square.copy(order="F")
        self._factor = np.empty([len(square) + 1] * 2, np.float32, order="F")
        self._waiting = {sign: _Waiting(step, len(square)) for sign in (1, -1)}

    def changed(self, active):
        """Return the number of rows of another weight than `active`."""
        return np.count_nonzero(active != self._held)

    def turn_to(self, active):
        """Set the weights that rows have once this request was served."""
        if self.changed(active) > np.count_nonzero(active):  # less is added to nothing than taken off
            self._start_anew()
        self._change, self._held = active - self._held, active

    def _start_anew(self):
        self._held[:], self._square[:], self._total[:], self._count = 0, 0, 0, 0.0

    def feed(self, rows, block):
        """Add and take off the rows of a block whose weight changes."""
        for sign, waiting in self._waiting.items():
            change = sign * self._change[rows]
            places = np.flatnonzero(change > 0)
            if len(places):
                by, changed = change[places], block[places]
                self._total += sign * (by @ changed)
                self._count += sign * float_sum(by)
                if (by != 1).any():
                    changed *= np.sqrt(by)[:, None]
                waiting.add(changed, self._square, sign)

    def factor(self, C):
        """Factor I + 2C G in the problem's own standardisation."""
        for sign, waiting in self._waiting.items():
            waiting.empty(self._square, sign)
        mean, inverse, factor = self.own.mean, self.own.inverse, self._factor
        size = len(mean)
        while True:
            for start in range(0, size, PANEL):
                own, below = slice(start, min(start + PANEL, size)), slice(start, size)
                panel = self._square[below, own] - np.outer(mean[below], self._total[own] - self._count * mean[own])
                panel -= np.outer(self._total[below], mean[own])
                factor[below, own] = panel * (2 * C * inverse[below, None] * inverse[own])
            factor[size, :size] = 2 * C * inverse * (self._total - self._count * mean)
            factor[size, size] = 2 * C * self._count
            diagonal = factor.reshape(-1, order="F")[:: size + 2]
            diagonal += 1 + self._shift * diagonal.mean()
            if blas.factor(factor):
                break
            self._shift = max(SHIFT, 10 * self._shift)  # larger C need it too: kept, so that no factor fails twice
        self.factored = C

    def solve(self, right):
        """Return the factored Hessian's inverse times a vector of float64, shape (D + 1,)."""
        solution = right.astype(np.float32)
        blas.solve(self._factor, solution)
        return solution.astype(np.float64)


class _Waiting:
    """Rows that wait until there is a block of them: to add a few to G takes as long as to add many."""

    def __init__(self, step, dimension):
        self._rows, self._count = np.empty((step, dimension), np.float32), 0

    def add(self, rows, square, sign):
        """Let some rows wait, and add those that wait to ``square`` first where there is no room."""
        if self._count + len(rows) > len(self._rows):
            self.empty(square, sign)
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)

    def empty(self, square, sign):
        blas.add_gram(square, self._rows[: self._count], sign)
        self._count = 0
