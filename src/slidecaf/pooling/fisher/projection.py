"""Descriptors of length 1, projected onto the directions in which they vary most."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from slidecaf.errors import SlidecafError
from slidecaf.pooling.fisher.encoding import unit


@dataclass(frozen=True, eq=False)
class Projection:
    """A projection onto d principal components of D values, or none.

    Attributes
    ----------
    mean : ndarray of float64, shape (D,)
    directions : ndarray of float64, shape (d, D), or None
        Orthonormal; without them, descriptors keep their values.
    """

    mean: np.ndarray
    directions: np.ndarray | None = None

    def __call__(self, descriptors) -> np.ndarray:
        """Return descriptors as the mixture takes them: of length 1 (L2), then projected.

        Parameters
        ----------
        descriptors : ndarray, shape (n, D)
            Any floating type.

        Returns
        -------
        ndarray of float32, shape (n, d), or (n, D) without a projection
        """
        rows = unit(np.asarray(descriptors, dtype=np.float32))
        if self.directions is None:
            return rows
        return (rows - self.mean.astype(np.float32)) @ self.directions.T.astype(np.float32)


def fit_projection(descriptors, size, *, threads=1) -> Projection:
    """Find the directions in which descriptors of length 1 vary most.

    Parameters
    ----------
    descriptors : ndarray, shape (n, D)
        Of training images only.
    size : int or None
        d, the directions that are kept; None keeps values as they are.
    threads : int, optional
        Last bits depend on it.

    Returns
    -------
    Projection

    Raises
    ------
    SlidecafError
        If `size` is above D or n.
    """
    count, dimension = descriptors.shape
    if size is None:
        return Projection(np.zeros(dimension))
    if size > min(count, dimension):
        raise SlidecafError(
            f"fisher.pca: {size} is above what {count} descriptors of {dimension} values have; write "
            f"{min(count, dimension)} or less, or null."
        )
    with threadpool_limits({"blas": threads, "openmp": 1}):
        mean, square = np.zeros(dimension), np.zeros((dimension, dimension))
        for start in range(0, count, 4096):
            rows = unit(np.asarray(descriptors[start : start + 4096], dtype=np.float32))
            mean += rows.sum(axis=0, dtype=np.float64)
            square += rows.T @ rows
        mean /= count
        _, vectors = np.linalg.eigh(square / count - np.outer(mean, mean))
    directions = vectors[:, ::-1].T[:size]
    # an eigenvector's sign means nothing: its largest value is made positive
    largest = np.abs(directions).argmax(axis=1)
    return Projection(mean, directions * np.sign(directions[np.arange(size), largest])[:, None])
