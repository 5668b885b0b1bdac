"""How good predictions are, with intervals, and paired tests between two methods."""

import numpy as np

LEVEL = 0.95
FEW_PATIENTS = 10


def classification_scores(labels, predicted, confidence, *, classes, patients, folds=None, seed=0, bootstrap=2000):
    """Score the predictions of a classification.

    A slide without a prediction counts as wrong everywhere: it is no hit of any class, and for the AUC it
    stands at the worst end (below every other as a positive, above every other as a negative).

    Parameters
    ----------
    labels : sequence of str, n of them
        The true classes.
    predicted : sequence of str, n of them
        Empty text where there is no prediction.
    confidence : array-like of shape (n,) or (n, K)
        Two classes: positive means the second. More: one column a class. NaN where, and only where, there
        is no prediction.
    classes : sequence of str, K of them
        (negative, positive) where there are two.
    patients : sequence of str, n of them
        Slides of one patient are drawn together in the bootstrap.
    folds : sequence of int, n of them, optional
        Who was held out together; gives the folds' own AUC.
    seed : int, optional
        Of the bootstrap.
    bootstrap : int, optional
        Draws of patients with replacement; intervals run from their 2.5 to their 97.5 percentile.

    Returns
    -------
    dict
        JSON as it is; what is undefined is None, an interval a list of two numbers.

        n, correct, accuracy : hits over all slides, without prediction or not.
        accuracy_ci95 : exact binomial (Clopper-Pearson), which takes slides for independent.
        accuracy_bootstrap_ci95 : over patients; None for one patient.
        balanced_accuracy : mean share of hits over the classes that have slides.
        auc, auc_bootstrap_ci95 : all rows pooled; draws without one of the classes are left out. More than
            two classes: the mean of every class against the rest.
        sensitivity, sensitivity_ci95, specificity, specificity_ci95 : with two classes; exact intervals.
        auc_by_class : with more classes; class to its AUC against the rest.
        auc_by_fold, auc_fold_mean, auc_folds : with `folds`; the mean is over the ``auc_folds`` folds whose
            AUC is defined.
        confusion : true class to predicted class (``""``: none) to slides.
        no_prediction, patients : counts of slides and of patients.
        notes : list of str, what a reader must know before trusting the numbers.

    Raises
    ------
    ValueError
        If there is no row, a label or prediction is no class, or predictions and confidences disagree on
        which slides have none.
    """
    labels, predicted = np.asarray(labels, dtype=str), np.asarray(predicted, dtype=str)
    confidence = np.asarray(confidence, dtype=np.float64)
    classes = [str(name) for name in classes]
    _check(labels, predicted, confidence, classes)

    hit, missing = labels == predicted, predicted == ""
    n, correct = len(labels), int(hit.sum())
    recall = {name: _mean(hit[labels == name]) for name in classes}
    columns = _one_against_rest(labels, confidence, missing, classes)
    unique_patients, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    draws = _bootstrap(hit, columns, patient, seed, bootstrap) if len(unique_patients) > 1 else np.empty((0, 2))

    scores = {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "accuracy_ci95": exact_interval(correct, n),
        "accuracy_bootstrap_ci95": _percentiles(draws[:, 0]),
        "balanced_accuracy": _mean([share for share in recall.values() if share is not None]),
        "auc": _number(_macro_auc(columns)),
        "auc_bootstrap_ci95": _percentiles(draws[:, 1]),
    }
    if len(classes) == 2:
        for key, name in (("sensitivity", classes[1]), ("specificity", classes[0])):
            scores[key] = recall[name]
            scores[f"{key}_ci95"] = exact_interval(int(hit[labels == name].sum()), int((labels == name).sum()))
    else:
        scores["auc_by_class"] = {name: _number(_auc(*column)) for name, column in zip(classes, columns, strict=True)}
    if folds is not None:
        scores |= _fold_aucs(columns, np.asarray(folds))
    scores["confusion"] = {
        true: {guess: int(((labels == true) & (predicted == guess)).sum()) for guess in (*classes, "")}
        for true in classes
    }
    scores["no_prediction"] = int(missing.sum())
    scores["patients"] = len(unique_patients)
    scores["notes"] = _notes(scores, recall)
    return scores


def _check(labels, predicted, confidence, classes):
    if len(labels) == 0:
        raise ValueError("there is no row to score")
    unknown = (set(labels) - set(classes)) | (set(predicted) - {*classes, ""})
    if unknown:
        raise ValueError(f"{sorted(unknown)} are no classes")
    shape = (len(labels),) if len(classes) == 2 else (len(labels), len(classes))
    if confidence.shape != shape:
        raise ValueError(f"confidence has shape {confidence.shape}, not {shape}")
    nan = np.isnan(confidence.reshape(len(labels), -1))
    if (nan != (predicted == "")[:, None]).any():
        raise ValueError("a slide has a prediction without confidence, or a confidence without prediction")


def _notes(scores, recall):
    notes = []
    if scores["patients"] < FEW_PATIENTS:
        notes.append(f"{scores['patients']} patients: below {FEW_PATIENTS}, intervals mean little.")
    absent = [name for name, share in recall.items() if share is None]
    if absent:
        notes.append(f"No slide of {', '.join(absent)}: what needs one is undefined.")
    if scores["no_prediction"]:
        notes.append(f"{scores['no_prediction']} of {scores['n']} slides without prediction count as wrong.")
    return notes


def exact_interval(correct, n):
    """Return the exact binomial interval (Clopper-Pearson, 95 %) of a share.

    Parameters
    ----------
    correct, n : int

    Returns
    -------
    list of float or None
        Low and high; None where `n` is 0.
    """
    if n == 0:
        return None
    from scipy.stats import binomtest

    interval = binomtest(correct, n).proportion_ci(LEVEL, method="exact")
    return [float(interval.low), float(interval.high)]


def mcnemar_exact(correct_a, correct_b):
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


def wilcoxon_paired(a, b):
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
        "mean_difference": _mean(difference),
        "median_difference": float(np.median(difference)),
        "statistic": float(test.statistic) if test else 0.0,
        "p": float(test.pvalue) if test else 1.0,
    }


def compare_scores(first, second, patients, *, names, seed=0):
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
    """
    difference = np.subtract(first, second)
    tested = wilcoxon_paired(first, second)
    interval = mean_interval(difference, patients, seed=seed)
    one, other = names
    mean = tested["mean_difference"]
    if not tested["differing"]:
        verdict = f"{one} equals {other} on every slide."
    elif interval and interval[0] > 0:
        verdict = f"{one} is better than {other}: the interval of the mean difference lies above 0."
    elif interval and interval[1] < 0:
        verdict = f"{one} is worse than {other}: the interval of the mean difference lies below 0."
    else:
        verdict = (
            f"{one} is {'above' if mean > 0 else 'below'} {other} by {abs(mean):.4f} on average, and the interval "
            "of the difference includes 0: these slides do not show which is better."
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


def dice(intersection, predicted, true):
    """Return the challenge's score, S = 2 |P ∩ G| / (|P| + |G|) (paper, section 5.3).

    Parameters
    ----------
    intersection, predicted, true : array-like of numbers
        |P ∩ G|, |P| and |G| in px, at least 0.

    Returns
    -------
    ndarray of float64 or float
        0 to 1; 1 where both are empty.
    """
    both = np.add(predicted, true)
    return np.where(both > 0, 2 * np.asarray(intersection) / np.maximum(both, 1), 1.0)[()]


def slide_scores(predicted, confidence, truth, areas, *, threshold):
    """Score one slide's mask against its truth, on cells.

    Parameters
    ----------
    predicted : ndarray of bool, shape (rows, columns)
    confidence : ndarray of float32, shape (rows, columns)
        NaN where no patch is.
    truth : ndarray of int64, shape (rows, columns)
        Px of necrosis in each cell.
    areas : ndarray of int64, shape (rows, columns)
        Px of each cell.
    threshold : float

    Returns
    -------
    dict
        score : S of the mask. precision : None where nothing is predicted. recall : None where nothing is true.
        soft_score : S of the map itself, |P| and |P ∩ G| being sums of p = (confidence - threshold + 1) / 2, cut to
            0..1: the margins of the SVM around the threshold, 0 where no patch is.
        predicted_pixels, true_pixels : int.
    """
    hit, found, true = (int(values.sum()) for values in (truth[predicted], areas[predicted], truth))
    share = np.nan_to_num(np.clip((confidence.astype(np.float64) - threshold + 1) / 2, 0, 1))
    soft = 2 * (share * truth).sum() / both if (both := (share * areas).sum() + true) > 0 else 1.0
    return {
        "score": float(dice(hit, found, true)),
        "precision": hit / found if found else None,
        "recall": hit / true if true else None,
        "soft_score": float(soft),
        "predicted_pixels": found,
        "true_pixels": true,
    }


def segmentation_scores(rows, *, seed=0, bootstrap=2000):
    """Average the scores of slides.

    Parameters
    ----------
    rows : sequence of dict
        One a slide with truth: patient, area (px), and what `slide_scores` gives.
    seed : int, optional
        Of the bootstrap.
    bootstrap : int, optional
        Draws of patients with replacement; intervals run from their 2.5 to their 97.5 percentile.

    Returns
    -------
    dict
        JSON as it is.

        n, patients : counts.
        score : the mean of S over slides. score_ci95 : over patients; None for one patient.
        precision, recall : means over the slides where they are defined. soft_score : the mean.
        score_nonempty, nonempty : mean of S over the slides whose truth is not empty, and how many these are.
        empty : slides with an empty truth; their S is 1 if nothing was predicted, otherwise 0.
        empty_right : those of them with S = 1.
        score_above_1_percent, above_1_percent : the same over slides with more than 1 % of truth.
        notes : list of str, what a reader must know before trusting the numbers.

    Raises
    ------
    ValueError
        If there is no row.
    """
    if not rows:
        raise ValueError("there is no slide to score")
    score = np.array([row["score"] for row in rows])
    true, area = (np.array([row[key] for row in rows]) for key in ("true_pixels", "area"))
    patients = [row["patient"] for row in rows]
    empty = true == 0

    def mean_of(key):
        return _mean([row[key] for row in rows if row[key] is not None])

    scores = {
        "n": len(rows),
        "score": float(score.mean()),
        "score_ci95": mean_interval(score, patients, seed=seed, bootstrap=bootstrap),
        "precision": mean_of("precision"),
        "recall": mean_of("recall"),
        "soft_score": mean_of("soft_score"),
        "score_nonempty": _mean(score[~empty]),
        "nonempty": int((~empty).sum()),
        "empty": int(empty.sum()),
        "empty_right": int((score[empty] == 1).sum()),
        "score_above_1_percent": _mean(score[true > 0.01 * area]),
        "above_1_percent": int((true > 0.01 * area).sum()),
        "patients": len(set(patients)),
    }
    return {**scores, "notes": _segmentation_notes(scores)}


def _segmentation_notes(scores):
    notes = []
    if scores["patients"] < FEW_PATIENTS:
        notes.append(f"{scores['patients']} groups: below {FEW_PATIENTS}, intervals mean little.")
    if scores["empty"]:
        notes.append(
            f"{scores['empty']} of {scores['n']} slides have no true pixel and score 0 or 1 "
            f"({scores['empty_right']} score 1)."
        )
    return notes


def mean_interval(values, patients, *, seed=0, bootstrap=2000):
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
    """
    unique, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    if len(unique) < 2:
        return None
    sums = np.bincount(patient, np.asarray(values, np.float64))
    counts = np.bincount(patient)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(unique), size=(bootstrap, len(unique)))
    return _percentiles(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))


def _one_against_rest(labels, confidence, missing, classes):
    """Return (is positive, place of the confidence among the distinct ones) for every AUC to be taken."""
    if len(classes) == 2:
        columns = [(labels == classes[1], confidence)]
    else:
        columns = [(labels == name, confidence[:, k]) for k, name in enumerate(classes)]
    worst = [(positive, np.where(positive, -np.inf, np.inf)) for positive, _ in columns]
    return [
        (positive, np.unique(np.where(missing, end, value), return_inverse=True)[1])
        for (positive, value), (_, end) in zip(columns, worst, strict=True)
    ]


def _auc(positive, place, weight=None):
    """Return the share of (positive, negative) pairs in the right order, ties half; NaN without pairs."""
    if weight is None:
        weight = np.ones(len(place))
    size = place.max() + 1
    positives = np.bincount(place, weight * positive, size)
    negatives = np.bincount(place, weight * ~positive, size)
    pairs = positives.sum() * negatives.sum()
    below = negatives.cumsum() - negatives / 2
    return (positives * below).sum() / pairs if pairs else np.nan


def _macro_auc(columns, weight=None):
    return np.mean([_auc(positive, place, weight) for positive, place in columns])


def _fold_aucs(columns, folds):
    by_fold = {}
    for fold in np.unique(folds):
        held = folds == fold
        by_fold[str(fold)] = _number(_macro_auc([(positive[held], place[held]) for positive, place in columns]))
    defined = [auc for auc in by_fold.values() if auc is not None]
    return {"auc_by_fold": by_fold, "auc_fold_mean": _mean(defined), "auc_folds": len(defined)}


def _bootstrap(hit, columns, patient, seed, draws):
    """Return accuracy and AUC for each draw of patients with replacement, (draws, 2)."""
    generator = np.random.default_rng(seed)
    count = patient.max() + 1
    values = np.empty((draws, 2))
    for draw in range(draws):
        times = np.bincount(generator.integers(count, size=count), minlength=count)
        weight = times[patient].astype(np.float64)
        values[draw] = weight @ hit / weight.sum(), _macro_auc(columns, weight)
    return values


def _percentiles(values):
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return None
    return np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()


def _mean(values):
    return float(np.mean(values)) if len(values) else None


def _number(value):
    return None if np.isnan(value) else float(value)
