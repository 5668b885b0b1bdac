"""Graph run-length matrices, and texture features on them.

Source: section 5.2 of the paper (GraphRLM, win_size) after Tosun and Gunduz-Demir (TMI 2011): a matrix of edge type by
run length, as Galloway's of grey level by run length (1975), and her features of it. What a run is, is our reading: a
shortest path along edges of one type, inside the window around the node that it starts from.
"""

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from slidecaf.segmentation.graph_rlm.graph import EDGE_TYPES, adjacency

TEXTURE = ("short_path_emphasis", "long_path_emphasis", "edge_type_nonuniformity", "path_length_nonuniformity")


def window(points, win_size) -> sparse.csr_matrix:
    """Return which points lie in the window around each: a square with it in the middle.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        x and y in px.
    win_size : int
        The side of the window in px.

    Returns
    -------
    scipy.sparse.csr_matrix of int32, shape (n, n)
        Row i has 1 for the points in i's window, itself too.
    """
    pairs = cKDTree(points).query_pairs(win_size / 2, p=np.inf, output_type="ndarray") if len(points) else ()
    near = adjacency(np.asarray(pairs, np.int64).reshape(-1, 2), len(points))
    return (near + sparse.identity(len(points), dtype=np.int32, format="csr")).tocsr()


def run_length_matrices(edges, types, near) -> np.ndarray:
    """Count the runs that start at each point, by edge type and length.

    A breadth-first search from a point along edges of one type, inside the point's window, reaches other points by
    shortest paths; each point reached is one run, as long as the edges of its path.

    Parameters
    ----------
    edges : ndarray of int64, shape (m, 2)
    types : ndarray of int64, shape (m,)
        From 0 to 5.
    near : scipy.sparse.csr_matrix, shape (n, n)
        From `window`.

    Returns
    -------
    ndarray of int64, shape (n, 6, L)
        Runs of length 1 to L, the longest of any point; L is at least 1.

    Examples
    --------
    Three points in a row, the second edge of another type:

    >>> edges, types = np.array([[0, 1], [1, 2]]), np.array([0, 3])
    >>> near = window(np.array([[0, 0], [10, 0], [20, 0]]), 96)
    >>> run_length_matrices(edges, types, near)[:, [0, 3], 0]
    array([[1, 0],
           [1, 1],
           [0, 1]])
    """
    count, by_length = near.shape[0], []
    for kind in range(EDGE_TYPES):
        steps = adjacency(edges[types == kind], count)
        seen = sparse.identity(count, dtype=np.int32, format="csr")
        reached, lengths = seen, []
        while True:
            reached = (reached @ steps).multiply(near)
            reached = (reached - reached.multiply(seen)).tocsr().sign()  # what was reached before is no new run
            reached.eliminate_zeros()
            if not reached.nnz:
                break
            lengths.append(np.diff(reached.indptr))
            seen = seen + reached
        by_length.append(lengths)
    matrices = np.zeros((count, EDGE_TYPES, max(1, *map(len, by_length))), np.int64)
    for kind, lengths in enumerate(by_length):
        for length, runs in enumerate(lengths):
            matrices[:, kind, length] = runs
    return matrices


def over_windows(matrices, near) -> np.ndarray:
    """Sum the matrices of the points in each point's window.

    Parameters
    ----------
    matrices : ndarray of int64, shape (n, 6, L)
    near : scipy.sparse.csr_matrix, shape (n, n)

    Returns
    -------
    ndarray of int64, shape (n, 6, L)
    """
    count, types, lengths = matrices.shape
    return (near @ matrices.reshape(count, types * lengths)).reshape(matrices.shape)


def texture_features(matrices) -> np.ndarray:
    """Describe run-length matrices as Galloway does.

    With p(t, l) runs of type t and length l, and R of all: short path emphasis sum p / l^2 / R, long path emphasis
    sum p l^2 / R, edge type nonuniformity sum over t of (sum over l of p)^2 / R, and path length nonuniformity sum over
    l of (sum over t of p)^2 / R.

    Parameters
    ----------
    matrices : ndarray of int64, shape (n, 6, L)

    Returns
    -------
    ndarray of float64, shape (n, 4)
        All 0 where a matrix has no run.
    """
    squares = np.arange(1, matrices.shape[2] + 1, dtype=np.float64) ** 2
    of_type, of_length = matrices.sum(axis=2), matrices.sum(axis=1)
    sums = np.stack(
        [
            (of_length / squares).sum(axis=1),
            (of_length * squares).sum(axis=1),
            (of_type**2).sum(axis=1),
            (of_length**2).sum(axis=1),
        ],
        axis=1,
    )
    return sums / np.maximum(1, of_type.sum(axis=1))[:, None]


def type_shares(matrices) -> np.ndarray:
    """Return the share of runs that each edge type has.

    Parameters
    ----------
    matrices : ndarray of int64, shape (n, 6, L)

    Returns
    -------
    ndarray of float64, shape (n, 6)
        Rows sum to 1, or to 0 where a matrix has no run.
    """
    of_type = matrices.sum(axis=2)
    return of_type / np.maximum(1, of_type.sum(axis=1, keepdims=True))
