"""Which regions are necrosis: the reading of "unsupervised" that never looks at a held-out mask.

The regions of the training slides are sorted into clusters by their texture alone. Masks of these slides then say how
much of each cluster is necrosis, and a region of another slide takes the confidence of the cluster that is most like
it.
"""

from dataclasses import dataclass, fields

import numpy as np
from threadpoolctl import threadpool_limits

STARTS = 10
"""Of k-means, from which the best is taken."""


@dataclass(frozen=True)
class Clusters:
    """Clusters of regions, and how much necrosis is in each.

    Attributes
    ----------
    mean, scale : list of float
        Of each feature over the training slides, by area; a feature that does not vary has scale 1.
    centres : list of list of float
        In scaled features.
    confidence : list of float
        From -1, no px of the cluster is necrosis, to 1, all are.
    """

    mean: list
    scale: list
    centres: list
    confidence: list

    @classmethod
    def of_plain(cls, plain) -> "Clusters":
        """Take a model from plain keys and values, among which there may be others.

        Parameters
        ----------
        plain : mapping

        Returns
        -------
        Clusters
        """
        return cls(*(plain[field.name] for field in fields(cls)))

    def confidences(self, vectors) -> np.ndarray:
        """Return the confidence of regions: that of the nearest cluster, the first of two that are as near.

        Parameters
        ----------
        vectors : ndarray of float64, shape (regions, d)

        Returns
        -------
        ndarray of float64, shape (regions,)
        """
        scaled = (np.asarray(vectors) - self.mean) / self.scale
        away = ((scaled[:, None] - np.asarray(self.centres)) ** 2).sum(axis=2)
        return np.asarray(self.confidence)[away.argmin(axis=1)]


def fit_clusters(vectors, necrosis, area, clusters, *, seed) -> Clusters:
    """Sort regions into clusters, and say how much necrosis is in each.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n, d)
        Features of the regions of all training slides; n is from 1.
    necrosis, area : ndarray of int64, shape (n,)
        Px of each region.
    clusters : int
        How many; fewer where fewer regions differ.
    seed : int
        Of the starts of k-means.

    Returns
    -------
    Clusters

    Examples
    --------
    >>> vectors = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> found = fit_clusters(vectors, np.array([90, 60, 0, 20]), np.full(4, 100), 2, seed=0)
    >>> found.confidences([[0.3], [4.0]]).round(3).tolist()
    [0.5, -0.8]
    """
    from sklearn.cluster import KMeans

    mean = np.average(vectors, axis=0, weights=area)
    deviation = np.sqrt(np.average((vectors - mean) ** 2, axis=0, weights=area))
    scale = np.where(deviation > 1e-9 * np.maximum(1, np.abs(mean)), deviation, 1.0)
    scaled = (vectors - mean) / scale
    count = min(clusters, len(np.unique(scaled, axis=0)))
    with threadpool_limits(1):  # sums of several threads differ in their last bits
        found = KMeans(count, n_init=STARTS, random_state=seed).fit(scaled, sample_weight=area)
    sums = [np.bincount(found.labels_, px, count) for px in (necrosis, area)]
    confidence = 2 * sums[0] / sums[1] - 1
    return Clusters(*(values.tolist() for values in (mean, scale, found.cluster_centers_, confidence)))
