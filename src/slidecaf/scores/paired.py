"""Paired tests between two methods or variants on the same slides."""

import numpy as np

from slidecaf.scores.intervals import mean, mean_interval


def mcnemar_exact(correct_a, correct_b) -> dict:
    """Compare two methods on the same slides by McNemar's exact test.

    Parameters
    ----------
    correct_a, correct_b : array-like of bool of shape (n,)
        Who was right on which slide. The test takes slides for independent.

    Returns
    -------
    dict
        n, both, only_a, only_b, neither : counts of slides.
        p : two-sided; 1 where the methods never disagree.

    Examples
    --------
    >>> mcnemar_exact([True, True, True, False], [True, False, False, False])
    {'test': 'McNemar exact', 'n': 4, 'both': 1, 'only_a': 2, 'only_b': 0, 'neither': 1, 'p': 0.5}
    """
    from scipy.stats import binomtest

    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape:
        raise ValueError(f"the methods have {a.shape} and {b.shape} slides")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    apart = only_a + only_b
    return {
        "test": "McNemar exact",
        "n": len(a),
        "both": int((a & b).sum()),
        "only_a": only_a,
        "only_b": only_b,
        "neither": int((~a & ~b).sum()),
        "p": float(binomtest(only_a, apart).pvalue) if apart else 1.0,
    }


def wilcoxon_paired(a, b) -> dict:
    """Compare two lists of paired scores by Wilcoxon's signed-rank test.

    Parameters
    ----------
    a, b : array-like of float of shape (n,)
        No NaN.

    Returns
    -------
    dict
        n : pairs. differing : pairs that are not equal; only these enter the test.
        mean_difference, median_difference : of a - b.
        statistic : the smaller sum of ranks; 0 where all pairs are equal.
        p : two-sided; 1 where all pairs are equal.

    Examples
    --------
    >>> tested = wilcoxon_paired([0.9, 0.8, 0.7], [0.6, 0.6, 0.6])
    >>> tested["differing"], round(tested["mean_difference"], 3), tested["p"]
    (3, 0.2, 0.25)
    """
    from scipy.stats import wilcoxon

    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    if not np.isfinite(difference).all():
        raise ValueError("a score is NaN or infinite")
    differing = int(np.count_nonzero(difference))
    test = wilcoxon(difference) if differing else None
    return {
        "test": "Wilcoxon signed-rank",
        "n": len(difference),
        "differing": differing,
        "mean_difference": mean(difference),
        "median_difference": float(np.median(difference)),
        "statistic": float(test.statistic) if test else 0.0,
        "p": float(test.pvalue) if test else 1.0,
    }


def compare_scores(first, second, patients, *, names, seed=0) -> dict:
    """Compare the scores of two variants or methods on the same slides.

    Parameters
    ----------
    first, second : sequence of float, n of them
    patients : sequence of str, n of them
    names : (str, str)
        What the two are called.
    seed : int, optional
        Of the bootstrap.

    Returns
    -------
    dict
        What `wilcoxon_paired` gives, of first - second (the test takes slides for independent), and

        difference_ci95 : bootstrap interval of the mean difference, patients drawn together; None for one patient.
        better, worse : slides on which the first has the higher or the lower score.
        verdict : one sentence.

    Examples
    --------
    >>> compared = compare_scores([0.9, 0.8], [0.9, 0.8], ["a", "b"], names=("hard", "plain"))
    >>> compared["verdict"]
    'hard equals plain on every slide.'
    """
    difference = np.subtract(first, second)
    tested = wilcoxon_paired(first, second)
    interval = mean_interval(difference, patients, seed=seed)
    one, other = names
    difference_mean = tested["mean_difference"]
    if not tested["differing"]:
        verdict = f"{one} equals {other} on every slide."
    elif interval and interval[0] > 0:
        verdict = f"{one} is better than {other}: the interval of the mean difference lies above 0."
    elif interval and interval[1] < 0:
        verdict = f"{one} is worse than {other}: the interval of the mean difference lies below 0."
    else:
        verdict = (
            f"{one} is {'above' if difference_mean > 0 else 'below'} {other} by {abs(difference_mean):.4f} on average, "
            "and the interval of the difference includes 0: these slides do not show which is better."
        )
    return {
        "first": one,
        "second": other,
        **tested,
        "difference_ci95": interval,
        "better": int((difference > 0).sum()),
        "worse": int((difference < 0).sum()),
        "verdict": verdict,
    }
