"""Feature selection by the difference of class means (paper, section 3.2)."""

from itertools import combinations

import numpy as np

from slidecaf.classification.folds import class_indices
from slidecaf.errors import SlidecafError

ALL = "all"
"""In place of a number of features to keep: no selection."""


def rank_features(pooled, labels, *, classes) -> tuple[np.ndarray, np.ndarray]:
    """Rank features by how far apart the classes' means are.

    diff_k = |mean of feature k over one class - mean over the other| (paper, section 3.2); with more than
    two classes, the largest over all pairs. Hand in training rows only.

    Parameters
    ----------
    pooled : ndarray of shape (n, D)
        One vector a slide.
    labels : sequence of str, n of them
    classes : sequence of str, K of them
        Two at least.

    Returns
    -------
    difference : ndarray of float64 of shape (D,)
    order : ndarray of int of shape (D,)
        Feature indices, the largest difference first; equal ones by index.

    Raises
    ------
    SlidecafError
        If a class has no row, a label is no class, or a feature is NaN or infinite.

    Examples
    --------
    >>> pooled = np.array([[0.0, 3.0], [0.0, 5.0], [1.0, 9.0]])
    >>> difference, order = rank_features(pooled, ["LGG", "LGG", "GBM"], classes=["LGG", "GBM"])
    >>> difference, order
    (array([1., 5.]), array([1, 0]))
    """
    pooled = finite(pooled)
    index = class_indices(labels, classes, where="the training rows")
    means = [pooled[index == k].mean(axis=0) for k in range(len(classes))]
    difference = np.max([np.abs(b - a) for a, b in combinations(means, 2)], axis=0)
    return difference, np.argsort(-difference, kind="stable")


def select(order, keep) -> np.ndarray:
    """Return the features to keep.

    Parameters
    ----------
    order : ndarray of int of shape (D,)
        From `rank_features`.
    keep : int or "all"
        1 to D; all leaves none out.

    Returns
    -------
    ndarray of int of shape (keep,)
        Feature indices, best first.

    Raises
    ------
    SlidecafError
        If `keep` is above D.
    """
    if keep == ALL:
        return order
    if keep > len(order):
        raise SlidecafError(
            f"keep: {keep} is above the {len(order)} features there are; set keep to {len(order)} or less."
        )
    return order[:keep]


def finite(values) -> np.ndarray:
    """Return vectors as a float64 array in row order, whatever layout they came in.

    Parameters
    ----------
    values : array-like of shape (n, D)

    Returns
    -------
    ndarray of float64 of shape (n, D)

    Raises
    ------
    SlidecafError
        If one is NaN or infinite.
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise SlidecafError(f"row {bad[0]} of the pooled vectors is NaN or infinite; pool its slide again.")
    return values
