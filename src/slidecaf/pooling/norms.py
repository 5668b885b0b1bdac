"""The vectors of a slide's patches, pooled to one vector by a p-norm (paper, section 3.1).

The recipe's norm is 3; 1 is the mean and infinity the maximum.
"""

import math

import numpy as np

from slidecaf.errors import SlidecafError

# Rows at a time, so that a long chunk needs no float64 copy of the whole.
_ROWS = 512


def parse_norm(value) -> float:
    """Turn a norm of the config into a number.

    Parameters
    ----------
    value : int, float or str
        A number of at least 1, or the text ``inf``.

    Returns
    -------
    float
        `math.inf` for the maximum.

    Raises
    ------
    SlidecafError
        If it is neither.
    """
    if value == "inf":
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        raise SlidecafError(f"norm {value!r} cannot be used; write a number of at least 1, or inf.")
    return float(value)


def norm_name(norm) -> str:
    """Return the name of a norm in files: ``3``, ``2.5``, ``inf``.

    Parameters
    ----------
    norm : int, float or str
        As `parse_norm` takes it.

    Returns
    -------
    str
        Distinct for distinct norms.
    """
    norm = parse_norm(norm)
    return str(int(norm)) if norm.is_integer() else repr(norm)


class Pooler:
    """Pool the features of one slide, chunk after chunk, for several norms in one pass.

    f = (1/N Σ vᵖ)^(1/p) for each of D features over N patches (paper, section 3.1). Sums are float64 of
    v over its largest value so far, so that no p overflows or vanishes. Their last bits depend on where
    chunks end: for equal bytes, feed equal chunks.

    Parameters
    ----------
    norms : iterable of int, float or str
        As `parse_norm` takes them.
    source : str, optional
        What errors name, such as ``slide a1, features cnn-336``.

    Attributes
    ----------
    count : int
        Patches seen so far.
    """

    def __init__(self, norms, *, source="features"):
        self.norms = tuple(parse_norm(norm) for norm in norms)
        self.count = 0
        self._source = source
        self._maximum = None
        self._sums = {}

    def add(self, features) -> None:
        """Take in a chunk.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Any floating type; valid patches only. Not negative, unless every norm is 1 or infinite.

        Raises
        ------
        SlidecafError
            If a value is NaN, infinite, or negative where a norm forbids it.
        """
        for start in range(0, len(features), _ROWS):
            self._add(np.asarray(features[start : start + _ROWS], dtype=np.float64))

    def _add(self, values):
        maximum = values.max(axis=0)
        self._check(values.min(axis=0), maximum)
        if self._maximum is None:
            self._maximum = np.full(values.shape[1], -np.inf)
            self._sums = {norm: np.zeros(values.shape[1]) for norm in self.norms if norm != math.inf}
        maximum = np.maximum(maximum, self._maximum)
        self.count += len(values)

        powers = [norm for norm in self._sums if norm != 1]
        if powers:
            unit = _unit(maximum)
            shrink, scaled = np.maximum(self._maximum, 0) / unit, values / unit
            for norm in powers:
                self._sums[norm] *= shrink**norm
                self._sums[norm] += (scaled**norm).sum(axis=0)
        if 1 in self._sums:
            self._sums[1] += values.sum(axis=0)
        self._maximum = maximum

    def _check(self, minimum, maximum):
        if not (np.isfinite(minimum).all() and np.isfinite(maximum).all()):
            raise SlidecafError(
                f"{self._source}: a feature is NaN or infinite; look at the encoder's weights and the slide, "
                "delete the features file and run again."
            )
        strict = [norm for norm in self.norms if norm not in (1, math.inf)]
        if strict and minimum.min(initial=0) < 0:
            raise SlidecafError(
                f"{self._source}: feature {minimum.argmin()} is negative ({minimum.min():g}), and norm "
                f"{norm_name(strict[0])} needs features that are not; take norm 1 or inf, or a "
                "layer after a ReLU."
            )

    def result(self) -> dict:
        """Return the pooled vectors.

        Returns
        -------
        dict of float to ndarray of shape (D,)
            Norm to float64 vector, in the order of `norms`.

        Raises
        ------
        SlidecafError
            If no patch was added.
        """
        if self.count == 0:
            raise SlidecafError(f"{self._source}: no valid patch to pool; leave the slide out.")
        return {norm: self._pooled(norm) for norm in self.norms}

    def _pooled(self, norm):
        if norm == math.inf:
            return self._maximum.copy()
        mean = self._sums[norm] / self.count
        return mean if norm == 1 else _unit(self._maximum) * mean ** (1 / norm)


def _unit(maximum):
    """Return what values are divided by before a power: their maximum, or 1 where all are zero."""
    return np.where(maximum > 0, maximum, 1.0)


def pool(features, valid=None, norms=(3,), *, source="features") -> dict:
    """Pool features that are in memory.

    Parameters
    ----------
    features : ndarray of shape (N, D)
        Any floating type.
    valid : ndarray of bool of shape (N,), optional
        Rows to pool; all by default. What other rows hold does not matter.
    norms : iterable of int, float or str, optional
        As `parse_norm` takes them.
    source : str, optional
        What errors name.

    Returns
    -------
    dict of float to ndarray of shape (D,)

    Raises
    ------
    SlidecafError
        As `Pooler.add` and `Pooler.result`.

    Examples
    --------
    >>> pool(np.array([[1.0, 0.0], [2.0, 4.0]]), norms=(1, "inf"))
    {1.0: array([1.5, 2. ]), inf: array([2., 4.])}
    """
    pooler = Pooler(norms, source=source)
    pooler.add(features if valid is None else features[valid])
    return pooler.result()
