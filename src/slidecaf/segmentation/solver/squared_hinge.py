"""Linear SVMs with squared hinge loss by Newton's method, many side by side over one matrix.

A problem is a weight s for each row, 0 where the row is left out, and values of C. With x a row standardised by the
problem's own rows and a 1 behind it for the intercept, y = 1 or -1 and z = w·x, LinearSVC's objective is

    P(w) = |w|²/2 + C Σ s max(0, 1 - yz)²,      its gradient  w - v,  v = Σ a y x,  a = 2 C s max(0, 1 - yz),

and its Hessian I + 2C G, G = Σ s x xᵀ over the active rows, those with yz < 1. The sum over all rows is made once; from
there on (or from nothing, where a problem hardly has some feature), from step to step and from C to C, rows are taken
off and added as their part in G changes. A Cholesky factor of the Hessian, made anew when rows have changed,
preconditions conjugate gradients, which settle the rest in a pass or two over the rows; the step's length is exact. The
smallest C starts from 0, where all rows are active, every other C from the solution before it.

Each a is feasible for the dual problem, and so is t a for t > 0; the best of these has the value

    D = A² / (4B + 2|v|²),      A = Σ a,  B = Σ a² / (4Cs).

P - D bounds how far P is from the optimum, whatever the gradient looks like: fitting ends when it is small enough.

Problems share the passes over the matrix. Each is a generator that yields what it wants summed over all rows, and each
sums by itself, on one core: neither the number of threads, nor how many problems run together, nor the labels of rows
that it leaves out change a bit of its result.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from threadpoolctl import threadpool_limits

from slidecaf.segmentation.solver import blas
from slidecaf.segmentation.solver.row_blocks import RowBlocks

TOLERANCE = 1e-5
"""How far an objective may be from its optimum, as a share of it."""

CHANGED = 0.001
"""Share of the active rows that may change before a new factor is made: at many values a factor takes as long as some
passes over the rows, and at few next to nothing."""

FORCING = 0.1
"""What conjugate gradients leave of the residual."""

CG_STEPS = 30
"""Steps of conjugate gradients, at most: a step that is not exact descends all the same."""

SEARCH_STEPS = 30
"""Steps of the search along a step, at most; a handful are enough."""

SHIFT = 1e-6
"""Of its mean diagonal, by which a Hessian that is not definite in 32 bit is shifted, and ten times more each time."""

ROW_BYTES = 60
"""Bytes that a problem keeps of each row, about."""

RARE = 10
"""How many times less a feature may vary among a problem's rows than among all, for rows to be taken off the sum over
all: what is left of a feature that the problem hardly has is mostly rounding, and its own scale enlarges that."""

PANEL = 64
"""Columns of a Hessian that are filled at once."""


@dataclass(frozen=True, eq=False)
class Solution:
    """An SVM's weights for features as stored.

    Attributes
    ----------
    coef : ndarray of float64, shape (D,)
    intercept : float
    gap : float
        How far the objective is from its optimum at most, as a share of it.
    """

    coef: np.ndarray
    intercept: float
    gap: float


def fit_squared_hinge(matrix, labels, weights, C, *, max_iter, memory, threads, tolerance=TOLERANCE) -> list:
    """Fit a linear SVM for every problem and every C.

    Parameters
    ----------
    matrix : ndarray or h5py.Dataset of float16 or float32, shape (n, D)
        One row a patch. It is read in blocks, many times.
    labels : ndarray of bool, shape (n,)
    weights : ndarray of float32, shape (M, n)
        One row a problem, each with rows of both labels.
    C : sequence of float
        Above 0.
    max_iter : int
        Newton steps for each C.
    memory : int
        Bytes that problems may take together beside the matrix; one always runs, whatever it takes.
    threads : int
    tolerance : float, optional
        The gap to stop at.

    Returns
    -------
    list of list of Solution
        A problem's solutions in the order of C.

    Raises
    ------
    FloatingPointError
        If a value is NaN or infinite in a row of any problem.

    Notes
    -----
    Rounding depends on which rows any problem has: problems that must not know of one another's rows are solved by
    calls of their own.
    """
    if not len(weights):
        return []
    results = [None] * len(weights)
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        rows = np.flatnonzero((weights > 0).any(axis=0))
        weights, labels = weights[:, rows], labels[rows]
        blocks = RowBlocks(matrix, rows)
        square, total = blocks.gram()
        waiting = (
            (k, _newton(_Gram(weight, own, square, total, blocks.step), labels, C, max_iter, tolerance))
            for k, (weight, own) in enumerate(zip(weights, blocks.own(weights), strict=True))
        )
        each = 2 * square.nbytes + 8 * blocks.step * len(total) + ROW_BYTES * len(labels)
        together = max(1, (memory - square.nbytes) // each)
        running = list(islice(waiting, together))
        while running:

            def go_on(problem):
                number, steps = problem
                try:
                    return next(steps)
                except StopIteration as end:
                    results[number] = end.value

            asked = list(pool.map(go_on, running))
            running = [problem for problem, request in zip(running, asked, strict=True) if request]
            blocks.feed([request for request in asked if request], pool, parts=2 * threads)
            running += islice(waiting, together - len(running))
    return results


def _newton(gram, labels, C, max_iter, tolerance):
    """Solve a problem for all C; a generator of requests that returns the solutions."""
    own, weight = gram.own, gram.weight
    sign = np.where(labels, 1, -1).astype(np.float32)
    w, z = np.zeros(len(own.mean) + 1), np.zeros(len(labels), np.float32)
    solved = {}
    for value in sorted(set(C)):
        for _ in range(max_iter):
            hinge = np.maximum(0, 1 - sign * z)
            a = (2 * value) * weight * hinge
            turned = _Turned(a * sign, np.zeros(len(own.mean)))
            yield turned
            v = own.summed(turned.total, _sum(turned.weight))
            loss = value * _sum(weight * hinge * hinge)
            primal = w @ w / 2 + loss
            gap = 1 - _sum(a) ** 2 / (4 * loss + 2 * (v @ v)) / primal if primal else 0.0
            if gap <= tolerance:
                break
            active = np.where(hinge > 0, weight, 0)
            if gram.factored != value or gram.changed(active) > CHANGED * np.count_nonzero(active):
                gram.turn_to(active)
                yield gram
                gram.factor(value)
            step, along = yield from _conjugate(gram, (2 * value) * active, v - w)
            t = _search(w, step, z, along, sign, weight, value)
            w, z = w + t * step, z + np.float32(t) * along
        solved[value] = Solution(*own.as_stored(w), float(gap))
    return [solved[value] for value in C]


def _sum(values):
    return float(values.sum(dtype=np.float64))


def _conjugate(gram, curvature, right):
    """Solve (I + Σ curvature x xᵀ) step = right, about; return the step, and step·x of all rows."""
    step, along, residual = np.zeros_like(right), np.zeros_like(curvature), right
    direction = better = gram.solve(residual)
    inner = least = residual @ better
    for _ in range(CG_STEPS):
        curved = _Curved(*gram.own.of_block(direction), curvature)
        yield curved
        bent = direction + gram.own.summed(curved.total, _sum(curvature * curved.values))
        length = inner / (direction @ bent)
        step, along = step + length * direction, along + np.float32(length) * curved.values
        residual = residual - length * bent
        better = gram.solve(residual)
        before, inner = inner, residual @ better
        if inner <= FORCING**2 * least:
            break
        direction = better + inner / before * direction
    return step, along


def _search(w, step, z, along, sign, weight, C):
    """Return how far along a step the objective is least: its slope rises, and is straight between kinks."""
    t = 1.0
    for _ in range(SEARCH_STEPS):
        hinge = np.maximum(0, 1 - sign * (z + np.float32(t) * along))
        slope = w @ step + t * (step @ step) - 2 * C * _sum(weight * along * sign * hinge)
        bend = step @ step + 2 * C * _sum((weight * along * along)[hinge > 0])
        t -= slope / bend
        if abs(slope) <= 1e-6 * bend:
            break
    return t


@dataclass(eq=False)
class _Turned:
    """A request for Σ r x."""

    weight: np.ndarray
    total: np.ndarray

    def feed(self, rows, block):
        self.total += self.weight[rows] @ block


class _Curved:
    """A request for x·u + c of all rows, and the sum of their products with a weight and x."""

    def __init__(self, coef, intercept, weight):
        self._coef, self._intercept = coef.astype(np.float32), np.float32(intercept)
        self._weight = weight
        self.values, self.total = np.empty_like(weight), np.zeros(len(coef))

    def feed(self, rows, block):
        values = block @ self._coef + self._intercept
        self.values[rows] = values
        self.total += (self._weight[rows] * values) @ block


class _Gram:
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
        self._square, self._total, self._count = square.copy(order="F"), total.copy(), _sum(self._held)
        if own.inverse.max() > RARE:
            self._start_anew()
        self._factor = np.empty([len(total) + 1] * 2, np.float32, order="F")
        self._waiting = {sign: _Waiting(step, len(total)) for sign in (1, -1)}

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
        for sign, waiting in self._waiting.items():
            change = sign * self._change[rows]
            places = np.flatnonzero(change > 0)
            if len(places):
                by, changed = change[places], block[places]
                self._total += sign * (by @ changed)
                self._count += sign * _sum(by)
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
