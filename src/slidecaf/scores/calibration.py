"""Confidences as probabilities, how good those are, and an operating point at a wanted sensitivity.

Platt scaling (Platt 1999): P(positive) = 1 / (1 + exp(a f + b)) of a confidence f, with a and b by maximum likelihood
on slides that the model behind f did not see. The truth counts as (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1
and 0, so that a and b stay finite where confidences tell the classes apart without a fault. With more than two classes
each class has a curve of its own against the rest, and the probabilities are divided by their sum.
"""

from collections.abc import Sequence

import numpy as np

STEPS, TOLERANCE = 100, 1e-10
"""Of Newton's method."""

SMALLEST = 1e-15
"""Probability below which the log loss does not look."""


def fit_platt(confidence, positive) -> tuple[float, float]:
    """Fit Platt's curve.

    Parameters
    ----------
    confidence : array_like of float, shape (n,)
    positive : array_like of bool, shape (n,)
        Both classes are there.

    Returns
    -------
    a, b : float
        Of P = 1 / (1 + exp(a f + b)).

    Raises
    ------
    ValueError
        If a class is missing.

    Examples
    --------
    >>> a, b = fit_platt([-2.0, -1.0, 1.0, 2.0], [False, False, True, True])
    >>> a < 0, abs(b) < 1e-9
    (True, True)
    """
    confidence, positive = np.asarray(confidence, float), np.asarray(positive, bool)
    found = int(positive.sum())
    if found in (0, len(positive)):
        raise ValueError("Platt scaling needs slides of both classes")
    wanted = np.where(positive, (found + 1) / (found + 2), 1 / (len(positive) - found + 2))
    spread = confidence.std() or 1.0  # curves do not depend on the unit of confidences, steps would
    design = np.stack([confidence / spread, np.ones(len(confidence))], axis=1)
    ab = np.array([0.0, np.log((len(positive) - found + 1) / (found + 1))])

    def loss(ab):
        z = design @ ab
        return float((wanted * z + np.logaddexp(0, -z)).sum())

    for _ in range(STEPS):
        probability = _sigmoid(design @ ab)
        slope = design.T @ (wanted - probability)
        if np.abs(slope).max() < TOLERANCE * len(positive):
            break
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + 1e-12 * np.eye(2)
        step, share, before = np.linalg.solve(curvature, slope), 1.0, loss(ab)
        while loss(ab - share * step) > before - 1e-4 * share * slope @ step and share > TOLERANCE:
            share /= 2
        ab = ab - share * step
    return float(ab[0] / spread), float(ab[1])


def _sigmoid(z):
    """Return 1 / (1 + exp(z)) without overflow; NaN stays what it is."""
    with np.errstate(invalid="ignore"):
        return np.exp(-np.logaddexp(0, z))


def fit_curves(confidence, labels, classes: Sequence[str]) -> list[list[float]]:
    """Fit the curve of two classes, or one of each of more.

    Parameters
    ----------
    confidence : array_like of float, shape (n,) or (n, K)
        Two classes: positive means the second. More: one column a class.
    labels : sequence of str, n of them
    classes : sequence of str, K of them

    Returns
    -------
    list of [float, float]
        a and b: one pair of two classes, K of K.

    Raises
    ------
    ValueError
        If a class has no slide.
    """
    confidence, labels = np.asarray(confidence, float), np.asarray(labels, dtype=str)
    if len(classes) == 2:
        return [list(fit_platt(confidence, labels == classes[1]))]
    return [list(fit_platt(confidence[:, k], labels == name)) for k, name in enumerate(classes)]


def probabilities(confidence, curves) -> np.ndarray:
    """Turn confidences into probabilities.

    Parameters
    ----------
    confidence : array_like of float, shape (n,) or (n, K)
    curves : sequence of (float, float)
        From `fit_curves`.

    Returns
    -------
    ndarray of float64
        Shape (n,), of the second of two classes; or (n, K), each row's sum 1. NaN where a confidence is.
    """
    confidence = np.asarray(confidence, float)
    if len(curves) == 1:
        (a, b), *_ = curves
        return _sigmoid(a * confidence + b)
    a, b = np.array(curves).T
    each = _sigmoid(confidence * a + b)
    return each / each.sum(axis=1, keepdims=True)


def probability_scores(labels, probability, classes: Sequence[str]) -> dict:
    """Score probabilities.

    Parameters
    ----------
    labels : sequence of str, n of them
    probability : array_like, shape (n,) or (n, K)
        As `probabilities` gives them; NaN where there is none.
    classes : sequence of str, K of them

    Returns
    -------
    dict
        with_probability : slides that have one; the others count in neither.
        brier : the mean squared difference to 1 or 0, of the second of two classes; of more the sum over the classes.
        log_loss : the mean negative logarithm of the right class's probability.

        None where no slide has a probability.

    Examples
    --------
    >>> round(probability_scores(["a", "b"], [0.2, 0.6], ["a", "b"])["brier"], 3)
    0.1
    """
    labels, probability = np.asarray(labels, dtype=str), np.asarray(probability, float)
    truth = labels[:, None] == np.array(classes)
    told = np.stack([1 - probability, probability], axis=1) if probability.ndim == 1 else probability
    known = ~np.isnan(told).any(axis=1)
    if not known.any():
        return {"with_probability": 0, "brier": None, "log_loss": None}
    truth, told = truth[known], told[known]
    squared = (told - truth) ** 2
    brier = squared[:, 1] if probability.ndim == 1 else squared.sum(axis=1)
    right = np.clip(told[truth], SMALLEST, None)
    return {
        "with_probability": int(known.sum()),
        "brier": float(brier.mean()),
        "log_loss": float(-np.log(right).mean()),
    }


def operating_threshold(confidence, positive, sensitivity: float) -> float:
    """Return the largest confidence at which a wanted share of the positive slides is found.

    Parameters
    ----------
    confidence : array_like of float, shape (n,)
    positive : array_like of bool, shape (n,)
        One at least.
    sensitivity : float
        Above 0, at most 1.

    Returns
    -------
    float
        A slide is called positive where its confidence is not below it.

    Examples
    --------
    >>> operating_threshold([-1.0, 0.5, 1.0, 2.0], [True, False, True, True], 0.6)
    1.0
    >>> operating_threshold([-1.0, 0.5, 1.0, 2.0], [True, False, True, True], 1.0)
    -1.0
    """
    own = np.sort(np.asarray(confidence, float)[np.asarray(positive, bool)])[::-1]
    return float(own[int(np.ceil(sensitivity * len(own) - 1e-9)) - 1])
