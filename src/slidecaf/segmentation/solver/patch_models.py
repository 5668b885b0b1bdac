"""Many linear SVMs over one matrix of patches, each of which leaves some rows out (paper, section 3.3).

The objective is scikit-learn's LinearSVC's: squared hinge, the intercept penalised with the weights (scaling 1),
features standardised by the problem's own training rows.
"""

from dataclasses import dataclass

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.hdf5 import create_hdf5, open_hdf5
from slidecaf.segmentation.candidates import put_told, read_told
from slidecaf.segmentation.solver.squared_hinge import TOLERANCE, fit_squared_hinge

MEMORY = 8 * 2**30
"""Bytes that fits under way may take beside the matrix."""


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


def fit_left_out(matrix, labels, weights, C, *, max_iter=1000, memory=MEMORY, threads=1, device=None) -> list:
    """Fit a linear SVM for every problem and every C.

    Parameters
    ----------
    matrix : ndarray or h5py.Dataset of float16 or float32, shape (n, D)
        Features, one row a patch. It is read by all problems and never changed.
    labels : ndarray of bool, shape (n,)
        True for necrosis.
    weights : sequence of ndarray of float, shape (n,)
        One a problem: how many times each row counts. 0 leaves it out, and nothing of it is used.
    C : sequence of float
        Above 0.
    max_iter : int, optional
        Newton steps of a fit.
    memory : int, optional
        Bytes that fits under way may take beside the matrix. Results do not depend on it,
    threads : int, optional
        nor on how many threads work.
    device : str, optional
        A device of torch, such as ``cuda``, on which sums over rows and factors are made; by default NumPy makes them.
        Solutions then agree within the gap, and not in their last digits.

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
    Problems of the same weights are fitted once. Where a problem's rows are all of one class y, standardised features
    have mean 0, so that w = 0 and b = y 2 C n / (1 + 2 C n) minimise the objective for n the sum of weights;
    scikit-learn refuses such rows.
    """
    distinct, places, labels = {}, [], np.asarray(labels, bool)
    for weight in weights:
        weight = np.asarray(weight, np.float32)
        places.append(distinct.setdefault(weight.tobytes(), len(distinct)))
    distinct = [np.frombuffer(weight, np.float32) for weight in distinct]
    if not all(weight.any() for weight in distinct):
        raise SlidecafError("an SVM has no patch to learn from; add training slides of further patients.")
    both = [k for k, weight in enumerate(distinct) if len(np.unique(labels[weight > 0])) == 2]
    try:
        rows = np.array([distinct[k] for k in both], np.float32).reshape(len(both), len(labels))
        options = {"max_iter": max_iter, "memory": memory, "threads": threads, "device": device}
        found = fit_squared_hinge(matrix, labels, rows, C, **options)
    except FloatingPointError as error:
        raise SlidecafError("features: a value is NaN or infinite; delete the features files and run again.") from error
    solutions = dict(zip(both, found, strict=True))
    models = [_models(labels, weight, C, matrix.shape[1], solutions.get(k)) for k, weight in enumerate(distinct)]
    return [models[place] for place in places]


def _models(labels, weight, C, dimension, solutions):
    rows, positive = np.count_nonzero(weight), np.count_nonzero(labels[weight > 0])
    if solutions is None:
        total = 2 * np.asarray(C, np.float64) * weight.sum(dtype=np.float64)
        intercept = (1 if positive else -1) * total / (1 + total)
        return PatchModels(np.zeros((len(C), dimension)), intercept, True, np.ones(len(C), bool), rows, positive)
    coef = np.array([solution.coef for solution in solutions])
    intercept = np.array([solution.intercept for solution in solutions])
    converged = np.array([solution.gap <= TOLERANCE for solution in solutions])
    return PatchModels(coef, intercept, False, converged, rows, positive)


def write_models(path, models, *, C, inner, origin=None) -> None:
    """Write the models of a part.

    Parameters
    ----------
    path : path-like
    models : sequence of PatchModels
        One a problem of the part.
    C : sequence of float or of tuple
        What tells the models of a problem apart, as `slidecaf.segmentation.candidates.models_of` gives it.
    inner : sequence of int or None
        The inner fold that each problem leaves out; None for the part's own model.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        put_told(file.attrs, C)
        for model, fold in zip(models, inner, strict=True):
            group = file.create_group("part" if fold is None else f"inner-{fold}")
            for name in ("coef", "intercept", "converged"):
                group.create_dataset(name, data=getattr(model, name))
            for name in ("constant", "rows", "positive"):
                group.attrs[name] = getattr(model, name)


def read_models(path, inner=None) -> tuple[PatchModels, list]:
    """Read one problem's models.

    Parameters
    ----------
    path : path-like
    inner : int or None, optional
        The inner fold that they leave out; None for the part's own model.

    Returns
    -------
    PatchModels
    C : list of float or of tuple
        As `write_models` took it.

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
        return model, read_told(file.attrs)
