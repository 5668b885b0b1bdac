"""Pixels told apart by stain: nuclei, stroma, and lumen or glass.

Source: section 5.2 of the paper (GraphRLM), and the description of the authors' program: pixels are quantised by
k-means with k = 3. Which colours the clusters start from, and how they are ordered, is our reading.
"""

import numpy as np
from threadpoolctl import threadpool_limits

STAINS = 3
SAMPLE = 100_000
"""Pixels that k-means learns from, at even distances over the slide."""

START = (10, 50, 90)
"""Percentiles of brightness at which the clusters start: no draw, and no seed."""


def stain_centres(pixels) -> np.ndarray:
    """Find the three colours of a slide.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, 3)
        RGB of some pixels; n is from 1.

    Returns
    -------
    ndarray of float64, shape (3, 3)
        RGB of nuclei, stroma and lumen, from dark to light. Where pixels have fewer colours, some rows are equal.

    Examples
    --------
    >>> pixels = np.repeat(np.array([[240, 240, 240], [90, 40, 130], [220, 120, 180]], np.uint8), 10, axis=0)
    >>> stain_centres(pixels).round().tolist()
    [[90.0, 40.0, 130.0], [220.0, 120.0, 180.0], [240.0, 240.0, 240.0]]
    """
    from sklearn.cluster import KMeans

    pixels = pixels.astype(np.float64)
    order = np.argsort(pixels.sum(axis=1), kind="stable")
    start = pixels[order[[len(order) * percentile // 100 for percentile in START]]]
    if len(np.unique(pixels, axis=0)) >= STAINS:
        with threadpool_limits(1):  # sums of several threads differ in their last bits
            start = KMeans(STAINS, init=start, n_init=1).fit(pixels).cluster_centers_
    return start[np.argsort(start.sum(axis=1), kind="stable")]


def quantise(pixels, centres) -> np.ndarray:
    """Tell each pixel's stain: the nearest colour, the darker of two that are as near.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
    centres : ndarray of float64, shape (3, 3)
        From `stain_centres`.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        0 is nuclei, 1 stroma, 2 lumen.
    """
    nearest, least = np.zeros(pixels.shape[:2], np.uint8), None
    pixels = pixels.astype(np.float32)
    for stain, centre in enumerate(centres.astype(np.float32)):
        distance = ((pixels - centre) ** 2).sum(axis=2)
        if least is None:
            least = distance
        else:
            nearer = distance < least
            nearest[nearer], least = stain, np.minimum(least, distance)
    return nearest
