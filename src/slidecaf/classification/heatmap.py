"""Which patches speak for a diagnosis: a linear SVM's decision value, shared out exactly among a slide's patches.

A pooled feature is f = (1/N Σ vᵖ)^(1/p) of the N patches' values v ≥ 0, so that w f = Σ w f^(1−p) vᵖ / N: patch i adds
w f (v_i / f)ᵖ / N. Over patches and features that sums to the decision value without the intercept. Of the maximum,
p = inf, w f is shared equally among the patches that have it.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np


def contributions(blocks: Callable[[], Iterable], pooled, coef, *, norm: float) -> np.ndarray:
    """Share a decision value out among a slide's patches.

    Parameters
    ----------
    blocks : callable
        Gives the patches' features block by block, ndarray of shape (n, d), those that the SVM sees in its order. With
        the maximum it is called twice.
    pooled : array_like of float64, shape (d,)
        The pooled features of these very patches.
    coef : array_like of float64, shape (d,)
        The SVM's weights.
    norm : float
        Of the pooling; `math.inf` for the maximum. With 1, features may be negative.

    Returns
    -------
    ndarray of float64, shape (N,)
        What each patch adds: their sum is ``coef @ pooled``, to rounding.

    Examples
    --------
    >>> patches = np.array([[1.0, 0.0], [3.0, 2.0]])
    >>> f = np.sqrt((patches**2).mean(axis=0))
    >>> shares = contributions(lambda: [patches], f, [1.0, -1.0], norm=2)
    >>> bool(np.isclose(shares.sum(), f[0] - f[1]))
    True
    """
    pooled, coef = np.asarray(pooled, np.float64), np.asarray(coef, np.float64)
    if norm == math.inf:
        holders = sum(((block == pooled).sum(axis=0) for block in blocks()), start=np.zeros(len(pooled)))
        each = coef * pooled / np.maximum(holders, 1)
        return np.concatenate([(block == pooled) @ each for block in blocks()])
    if norm == 1:
        found = np.concatenate([np.asarray(block, np.float64) @ coef for block in blocks()])
        return found / len(found)
    seen = pooled > 0  # a feature that no patch has adds nothing
    weight = coef[seen] * pooled[seen]
    found = np.concatenate(
        [(np.asarray(block, np.float64)[:, seen] / pooled[seen]) ** norm @ weight for block in blocks()]
    )
    return found / len(found)
