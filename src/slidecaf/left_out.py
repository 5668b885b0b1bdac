"""Many linear SVMs over one matrix of patches, each of which leaves some rows out (paper, section 3.3).

The objective is scikit-learn's LinearSVC's: squared hinge, the intercept penalised with the weights (scaling 1),
features standardised by the problem's own training rows.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.store import atomic, open_hdf5

FIT_BYTES = 24
"""Bytes a value of a problem's matrix while LinearSVC fits: float64, and 16 in the solver's own copy."""

MEMORY = 20 * 2**30
"""Bytes that fits under way at once may take; one is always let through."""

MOMENT_ROWS = 4096
"""Rows whose moments are summed at once."""


@dataclass(frozen=True, eq=False)
class PatchModels:
    """Linear SVMs of one set of rows, one for each C.

    Attributes
    ----------
    coef : ndarray of float64, shape (C values, D)
        For features as stored: the standardisation is folded in.
    intercept : ndarray of float64, shape (C values,)
    constant : bool
        True where the rows were all of one class: the confidence is the same for every patch.
    converged : ndarray of bool, shape (C values,)
    rows : int
        Rows with a weight, and of these
    positive : int
        those of necrosis.
    """

    coef: np.ndarray
    intercept: np.ndarray
    constant: bool
    converged: np.ndarray
    rows: int
    positive: int


def fit_left_out(matrix, labels, weights, C, *, max_iter=1000, threads=1):
    """Fit a linear SVM for every problem and every C.

    Parameters
    ----------
    matrix : ndarray of float16 or float32, shape (n, D)
        Features, one row a patch. It is read by all problems and never changed.
    labels : ndarray of bool, shape (n,)
        True for necrosis.
    weights : sequence of ndarray of float, shape (n,)
        One a problem: how many times each row counts. 0 leaves it out, and nothing of it is used.
    C : sequence of float
        Above 0.
    max_iter : int, optional
        Newton steps of a fit.
    threads : int, optional
        Fits side by side, as far as memory allows. Results do not depend on it.

    Returns
    -------
    list of PatchModels
        One a problem.

    Raises
    ------
    SlidecafError
        If a value is NaN or infinite, or a problem has no row.

    Notes
    -----
    Where a problem's rows are all of one class y, standardised features have mean 0, so that w = 0 and
    b = y 2 C n / (1 + 2 C n) minimise the objective for n the sum of weights; scikit-learn refuses such rows.
    """
    largest = max(np.count_nonzero(weight) for weight in weights) * matrix.shape[1] * FIT_BYTES
    workers = max(1, min(threads, MEMORY // max(1, largest)))
    with ThreadPoolExecutor(workers) as pool:  # the solver lets go of Python's lock
        return list(pool.map(lambda weight: _fit(matrix, labels, weight, C, max_iter), weights))


def _fit(matrix, labels, weight, C, max_iter):
    rows = np.flatnonzero(weight)
    if not len(rows):
        raise SlidecafError("an SVM has no patch to learn from; add training slides of further patients.")
    labels, weight = labels[rows], np.asarray(weight[rows], np.float64)
    mean, scale = moments(matrix, rows, weight)
    positive = int(labels.sum())
    if positive in (0, len(rows)):
        sign = 1.0 if positive else -1.0
        total = 2 * np.asarray(C, np.float64) * weight.sum()
        coef, intercept = np.zeros((len(C), matrix.shape[1])), sign * total / (1 + total)
        return PatchModels(coef, intercept, True, np.ones(len(C), bool), len(rows), positive)
    standardised = np.empty((len(rows), matrix.shape[1]))
    for start in range(0, len(rows), MOMENT_ROWS):
        block = slice(start, start + MOMENT_ROWS)
        standardised[block] = matrix[rows[block]]
        standardised[block] -= mean
        standardised[block] /= scale
    coef, intercept, converged = _solve(standardised, labels, weight, C, max_iter)
    coef /= scale
    return PatchModels(coef, intercept - (coef * mean).sum(axis=1), False, converged, len(rows), positive)


def moments(matrix, rows, weight):
    """Return weighted mean and standard deviation of each feature; where that is 0, a scale of 1.

    Parameters
    ----------
    matrix : ndarray, shape (n, D)
    rows : ndarray of int, shape (m,)
    weight : ndarray of float64, shape (m,)

    Returns
    -------
    mean, scale : ndarray of float64, shape (D,)
        As if each row stood there as often as its weight says.

    Raises
    ------
    SlidecafError
        If a value is NaN or infinite.
    """
    mean, square = np.zeros((2, matrix.shape[1]))
    for start in range(0, len(rows), MOMENT_ROWS):
        block = matrix[rows[start : start + MOMENT_ROWS]].astype(np.float64)
        mean += _weighted_sum(weight[start : start + MOMENT_ROWS], block)
    mean /= weight.sum()
    if not np.isfinite(mean).all():
        raise SlidecafError("features: a value is NaN or infinite; delete the features files and run again.")
    for start in range(0, len(rows), MOMENT_ROWS):  # a second pass: no digits are lost where the mean is large
        block = matrix[rows[start : start + MOMENT_ROWS]] - mean
        square += _weighted_sum(weight[start : start + MOMENT_ROWS], block * block)
    scale = np.sqrt(square / weight.sum())
    return mean, np.where(scale > 0, scale, 1.0)


def _weighted_sum(weight, block):
    # not by a matrix product, whose last bits change with the number of threads
    return np.einsum("i,ij->j", weight, block)


def _solve(standardised, labels, weight, C, max_iter):
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    coef, intercept = np.empty((len(C), standardised.shape[1])), np.empty(len(C))
    converged = np.empty(len(C), bool)
    for k, value in enumerate(C):
        solver = LinearSVC(C=value, dual=False, max_iter=max_iter)
        with warnings.catch_warnings():
            # handed on as converged
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.fit(standardised, labels, sample_weight=weight)
        coef[k], intercept[k], converged[k] = solver.coef_[0], solver.intercept_[0], solver.n_iter_ < max_iter
    return coef, intercept, converged


def write_models(path, models, *, C, inner):
    """Write the models of a part.

    Parameters
    ----------
    path : path-like
    models : sequence of PatchModels
        One a problem of the part.
    C : sequence of float
    inner : sequence of int or None
        The inner fold that each problem leaves out; None for the part's own model.
    """
    import h5py

    with atomic(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["C"] = np.asarray(C, np.float64)
        for model, fold in zip(models, inner, strict=True):
            group = file.create_group("part" if fold is None else f"inner-{fold}")
            for name in ("coef", "intercept", "converged"):
                group.create_dataset(name, data=getattr(model, name))
            for name in ("constant", "rows", "positive"):
                group.attrs[name] = getattr(model, name)


def read_models(path, inner=None):
    """Read one problem's models.

    Parameters
    ----------
    path : path-like
    inner : int or None, optional
        The inner fold that they leave out; None for the part's own model.

    Returns
    -------
    PatchModels
    C : list of float

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        group = file["part" if inner is None else f"inner-{inner}"]
        model = PatchModels(
            coef=group["coef"][:],
            intercept=group["intercept"][:],
            constant=bool(group.attrs["constant"]),
            converged=group["converged"][:],
            rows=int(group.attrs["rows"]),
            positive=int(group.attrs["positive"]),
        )
        return model, file.attrs["C"].tolist()
