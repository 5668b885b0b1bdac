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

from slidecaf.segmentation.solver.hessian import Gram, float_sum
from slidecaf.segmentation.solver.row_blocks import RowBlocks
from slidecaf.segmentation.solver.sums import Curved, Turned

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

ROW_BYTES = 60
"""Bytes that a problem keeps of each row, about."""


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


def fit_squared_hinge(
    matrix, labels, weights, C, *, max_iter, memory, threads, tolerance=TOLERANCE, device=None
) -> list:
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
    device : str, optional
        A device of torch, such as ``cuda``, that makes the sums over rows and the factors; by default NumPy does.

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
        blocks, make = RowBlocks(matrix, rows), Gram
        if device is not None:
            from slidecaf.segmentation.solver.on_device import DeviceBlocks, DeviceGram  # here: torch

            blocks, make = DeviceBlocks(matrix, rows, device), DeviceGram
        square, total = blocks.gram()
        waiting = (
            (k, _newton(make(weight, own, square, total, blocks.step), labels, C, max_iter, tolerance))
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
            turned = Turned(a * sign, np.zeros(len(own.mean)))
            yield turned
            v = own.summed(turned.total, float_sum(turned.weight))
            loss = value * float_sum(weight * hinge * hinge)
            primal = w @ w / 2 + loss
            gap = 1 - float_sum(a) ** 2 / (4 * loss + 2 * (v @ v)) / primal if primal else 0.0
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


def _conjugate(gram, curvature, right):
    """Solve (I + Σ curvature x xᵀ) step = right, about; return the step, and step·x of all rows."""
    step, along, residual = np.zeros_like(right), np.zeros_like(curvature), right
    direction = better = gram.solve(residual)
    inner = least = residual @ better
    for _ in range(CG_STEPS):
        curved = Curved(*gram.own.of_block(direction), curvature)
        yield curved
        bent = direction + gram.own.summed(curved.total, float_sum(curvature * curved.values))
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
        slope = w @ step + t * (step @ step) - 2 * C * float_sum(weight * along * sign * hinge)
        bend = step @ step + 2 * C * float_sum((weight * along * along)[hinge > 0])
        t -= slope / bend
        if abs(slope) <= 1e-6 * bend:
            break
    return t
