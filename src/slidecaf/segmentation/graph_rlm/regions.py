"""Regions of like texture: seeds on the graph, grown over it and merged.

Source: section 5.2 of the paper (GraphRLM, dist_thr and comp_thr) after Tosun and Gunduz-Demir (TMI 2011). How seeds
are told, in which order nodes join, and that one threshold serves for all, is our reading.
"""

import heapq

import numpy as np
from scipy.sparse.csgraph import connected_components

from slidecaf.segmentation.graph_rlm.graph import adjacency

NONE = -1


def standardised(features) -> np.ndarray:
    """Scale each feature by its mean and deviation over the nodes of a slide; one that does not vary becomes 0.

    Parameters
    ----------
    features : ndarray of float64, shape (n, d)

    Returns
    -------
    ndarray of float64, shape (n, d)
    """
    if not len(features):
        return features
    deviation = features.std(axis=0)
    varies = deviation > 1e-9 * np.maximum(1, np.abs(features).max(axis=0))
    return (features - features.mean(axis=0)) / np.where(varies, deviation, np.inf)


def find_seeds(features, edges, *, dist_thr, comp_thr) -> np.ndarray:
    """Find nodes from which regions grow: components of the graph that hold together by texture.

    Edges between nodes whose features are `dist_thr` or more apart are cut. A component of what is left is a seed where
    it has at least `comp_thr` nodes; where none has, the largest is the only seed.

    Parameters
    ----------
    features : ndarray of float64, shape (n, d)
        From `standardised`.
    edges : ndarray of int64, shape (m, 2)
    dist_thr : float
        Of Euclidean distances.
    comp_thr : int
        Nodes.

    Returns
    -------
    ndarray of int64, shape (n,)
        The seed of each node, from 0 by the seeds' first nodes; -1 where it is in none.
    """
    apart = np.linalg.norm(features[edges[:, 0]] - features[edges[:, 1]], axis=1)
    _, component = connected_components(adjacency(edges[apart < dist_thr], len(features)), directed=False)
    sizes = np.bincount(component)
    large = sizes >= min(comp_thr, sizes.max(initial=0))
    return _numbered(np.where(large[component], component, NONE))


def grow(seeds, features, edges) -> np.ndarray:
    """Let the other nodes join regions, the one that is most like a region beside it first.

    Parameters
    ----------
    seeds : ndarray of int64, shape (n,)
        From `find_seeds`.
    features : ndarray of float64, shape (n, d)
    edges : ndarray of int64, shape (m, 2)
        A connected graph.

    Returns
    -------
    ndarray of int64, shape (n,)
        The region of each node.
    """
    region, neighbours = seeds.copy(), adjacency(edges, len(features))
    sums = np.stack([features[seeds == seed].sum(axis=0) for seed in range(seeds.max(initial=NONE) + 1)] or [[]])
    sizes = np.bincount(seeds[seeds >= 0], minlength=len(sums))
    waiting = []

    def offer(node):
        own = region[node]
        for other in neighbours.indices[neighbours.indptr[node] : neighbours.indptr[node + 1]]:
            if region[other] == NONE:
                away = float(np.linalg.norm(features[other] - sums[own] / sizes[own]))
                heapq.heappush(waiting, (away, int(other), int(own)))

    for node in np.flatnonzero(region >= 0):
        offer(node)
    while waiting:
        _, node, own = heapq.heappop(waiting)
        if region[node] == NONE:
            region[node] = own
            sums[own] += features[node]
            sizes[own] += 1
            offer(node)
    return region


def merge(region, features, edges, *, dist_thr) -> np.ndarray:
    """Merge regions side by side whose mean features are nearer than `dist_thr`, the nearest two first.

    Parameters
    ----------
    region : ndarray of int64, shape (n,)
        From `grow`.
    features : ndarray of float64, shape (n, d)
    edges : ndarray of int64, shape (m, 2)
    dist_thr : float

    Returns
    -------
    ndarray of int64, shape (n,)
        Numbered from 0 by the regions' first nodes.
    """
    region = region.copy()
    while True:
        pairs = np.unique(np.sort(region[edges], axis=1), axis=0)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        means = {one: features[region == one].mean(axis=0) for one in np.unique(pairs)}
        apart = [float(np.linalg.norm(means[one] - means[other])) for one, other in pairs]
        if not apart or min(apart) >= dist_thr:
            return _numbered(region)
        one, other = pairs[int(np.argmin(apart))]
        region[region == other] = one


def _numbered(labels):
    """Give labels numbers from 0 by their first places; -1 stays."""
    known, first = np.unique(labels[labels >= 0], return_index=True)
    numbers = dict(zip(known[np.argsort(first)].tolist(), range(len(known)), strict=True)) | {NONE: NONE}
    return np.array([numbers[label] for label in labels.tolist()], np.int64)
