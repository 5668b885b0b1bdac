"""The graph on primitives: a Delaunay triangulation whose edges have six types.

Source: section 5.2 of the paper (GraphRLM): an edge's type is the pair of its ends' stains.
"""

import numpy as np
from scipy import sparse
from scipy.spatial import Delaunay, QhullError

EDGE_TYPES = 6
_TYPE = np.array([[0, 3, 4], [3, 1, 5], [4, 5, 2]])
"""By both ends' stains: three types of equal stains, then nuclei-stroma, nuclei-lumen, stroma-lumen."""


def delaunay_edges(points) -> np.ndarray:
    """Triangulate points.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        x and y, no two equal; n may be 0.

    Returns
    -------
    ndarray of int64, shape (m, 2)
        Each edge once: two points' numbers, the smaller first, sorted. Points on one line are joined along it.

    Examples
    --------
    >>> delaunay_edges(np.array([[0, 0], [4, 0], [0, 4], [9, 9]])).tolist()
    [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    """
    try:
        corners = Delaunay(points).simplices if len(points) > 2 else None
    except QhullError:
        corners = None
    if corners is None:
        order = np.lexsort(np.asarray(points).reshape(-1, 2).T)
        pairs = np.stack([order[:-1], order[1:]], axis=1)
    else:
        pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int64).reshape(-1, 2)


def edge_types(edges, stains) -> np.ndarray:
    """Return the type of each edge.

    Parameters
    ----------
    edges : ndarray of int64, shape (m, 2)
    stains : ndarray of int, shape (n,)
        Of the points.

    Returns
    -------
    ndarray of int64, shape (m,)
        0 to 2: both ends are nuclei, stroma or lumen; 3: nuclei and stroma; 4: nuclei and lumen; 5: stroma and lumen.
    """
    return _TYPE[stains[edges[:, 0]], stains[edges[:, 1]]]


def adjacency(edges, count) -> sparse.csr_matrix:
    """Return which points have an edge.

    Parameters
    ----------
    edges : ndarray of int64, shape (m, 2)
    count : int
        n, the points.

    Returns
    -------
    scipy.sparse.csr_matrix of int32, shape (n, n)
        1 where there is an edge, in both directions.
    """
    ends = np.concatenate([edges, edges[:, ::-1]])
    return sparse.csr_matrix((np.ones(len(ends), np.int32), (ends[:, 0], ends[:, 1])), shape=(count, count))
