"""Intervals of shares and means, and what is undefined."""

import numpy as np

LEVEL = 0.95

FEW_PATIENTS = 10


def exact_interval(correct, n) -> list | None:
    """Return the exact binomial interval (Clopper-Pearson, 95 %) of a share.

    Parameters
    ----------
    correct, n : int

    Returns
    -------
    list of float or None
        Low and high; None where `n` is 0.

    Examples
    --------
    >>> [round(bound, 3) for bound in exact_interval(18, 20)]
    [0.683, 0.988]
    """
    if n == 0:
        return None
    from scipy.stats import binomtest

    interval = binomtest(correct, n).proportion_ci(LEVEL, method="exact")
    return [float(interval.low), float(interval.high)]


def mean_interval(values, patients, *, seed=0, bootstrap=2000) -> list | None:
    """Return the 95 % bootstrap interval of a mean over slides, patients drawn with replacement.

    Parameters
    ----------
    values : array-like of float, shape (n,)
    patients : sequence of str, n of them
    seed, bootstrap : int, optional

    Returns
    -------
    list of float or None
        Low and high; None for one patient.

    Examples
    --------
    >>> low, high = mean_interval([0.5, 0.7, 0.9, 0.6], ["a", "a", "b", "c"])
    >>> low < 0.675 < high
    True
    """
    unique, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    if len(unique) < 2:
        return None
    sums = np.bincount(patient, np.asarray(values, np.float64))
    counts = np.bincount(patient)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(unique), size=(bootstrap, len(unique)))
    return percentiles(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))


def percentiles(values) -> list | None:
    """Return the 95 % interval between percentiles of bootstrap values.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        NaN where a draw leaves the value undefined.

    Returns
    -------
    list of float or None
        Low and high; None where no value is defined.
    """
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return None
    return np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()


def mean(values) -> float | None:
    """Return the mean of values; None where there are none.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    float or None
    """
    return float(np.mean(values)) if len(values) else None


def number(value) -> float | None:
    """Return a number as JSON can hold it.

    Parameters
    ----------
    value : float

    Returns
    -------
    float or None
        None for NaN.
    """
    return None if np.isnan(value) else float(value)
