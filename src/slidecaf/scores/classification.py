"""How good the predictions of a classification are, with intervals."""

import numpy as np

from slidecaf.scores.intervals import FEW_PATIENTS, exact_interval, mean, number, percentiles


def classification_scores(
    labels, predicted, confidence, *, classes, patients, folds=None, seed=0, bootstrap=2000
) -> dict:
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
        balanced_accuracy, balanced_accuracy_ci95 : mean share of hits over the classes that have slides; its
            bootstrap interval over patients, of draws that have slides of all these classes.
        auc, auc_bootstrap_ci95 : all rows pooled; draws without one of the classes are left out. More than
            two classes: the mean of every class against the rest.
        sensitivity, sensitivity_ci95, specificity, specificity_ci95 : with two classes; exact intervals.
        auc_by_class : with more classes; class to its AUC against the rest.
        by_class : class to what `one_class_scores` gives of it.
        auc_by_fold, auc_fold_mean, auc_folds : with `folds`; the mean is over the ``auc_folds`` folds whose
            AUC is defined.
        confusion : true class to predicted class (``""``: none) to slides.
        no_prediction : count of slides.
        patients : the same for patients, as `patient_scores` gives it.
        notes : list of str, what a reader must know before trusting the numbers.

    Raises
    ------
    ValueError
        If there is no row, a label or prediction is no class, or predictions and confidences disagree on
        which slides have none.

    Examples
    --------
    >>> scores = classification_scores(
    ...     ["LGG", "LGG", "GBM", "GBM"],
    ...     ["LGG", "GBM", "GBM", "GBM"],
    ...     [-1.0, 0.5, 0.2, 2.0],
    ...     classes=["LGG", "GBM"],
    ...     patients=["a", "b", "c", "d"],
    ... )
    >>> scores["accuracy"], scores["auc"], scores["sensitivity"], scores["specificity"]
    (0.75, 0.75, 1.0, 0.5)
    """
    labels, predicted = np.asarray(labels, dtype=str), np.asarray(predicted, dtype=str)
    confidence = np.asarray(confidence, dtype=np.float64)
    classes = [str(name) for name in classes]
    _check(labels, predicted, confidence, classes)

    hit, missing = labels == predicted, predicted == ""
    n, correct = len(labels), int(hit.sum())
    recall = {name: mean(hit[labels == name]) for name in classes}
    columns = _one_against_rest(labels, confidence, missing, classes)
    unique_patients, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    own = [labels == name for name, share in recall.items() if share is not None]
    draws = _bootstrap(hit, columns, own, patient, seed, bootstrap) if len(unique_patients) > 1 else np.empty((0, 3))

    scores = {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "accuracy_ci95": exact_interval(correct, n),
        "accuracy_bootstrap_ci95": percentiles(draws[:, 0]),
        "balanced_accuracy": mean([share for share in recall.values() if share is not None]),
        "balanced_accuracy_ci95": percentiles(draws[:, 2]),
        "auc": number(_macro_auc(columns)),
        "auc_bootstrap_ci95": percentiles(draws[:, 1]),
    }
    if len(classes) == 2:
        for key, name in (("sensitivity", classes[1]), ("specificity", classes[0])):
            scores[key] = recall[name]
            scores[f"{key}_ci95"] = exact_interval(int(hit[labels == name].sum()), int((labels == name).sum()))
    else:
        scores["auc_by_class"] = {name: number(_auc(*column)) for name, column in zip(classes, columns, strict=True)}
    if folds is not None:
        scores |= _fold_aucs(columns, np.asarray(folds))
    scores["confusion"] = {
        true: {guess: int(((labels == true) & (predicted == guess)).sum()) for guess in (*classes, "")}
        for true in classes
    }
    against = columns if len(classes) > 2 else [_turned(*columns[0]), columns[0]]
    scores["by_class"] = {
        name: one_class_scores(labels == name, predicted == name, place, missing=missing)
        for name, (_, place) in zip(classes, against, strict=True)
    }
    scores["no_prediction"] = int(missing.sum())
    scores["patients"] = patient_scores(labels, confidence, classes=classes, patients=patients)
    scores["notes"] = _notes(scores, recall)
    return scores


def sureness(confidence, predicted) -> np.ndarray:
    """Return how sure decisions are, to sort them by.

    Parameters
    ----------
    confidence : array_like of float, shape (n,) or (n, K)
        As for `classification_scores`.
    predicted : sequence of int, n of them
        The place of the predicted class; anything where there is no prediction.

    Returns
    -------
    ndarray of float64, shape (n,)
        With two classes the size of the confidence; with more the predicted class's lead over the next, since votes of
        pairs make all confidences nearly equal. NaN where a confidence is.

    Examples
    --------
    >>> sureness([-1.5, 0.5], [0, 1]).tolist()
    [1.5, 0.5]
    >>> sureness([[0.0, 1.0, 3.0]], [2]).tolist()
    [2.0]
    """
    confidence = np.array(confidence, dtype=np.float64)
    if confidence.ndim == 1:
        return np.abs(confidence)
    rows, predicted = np.arange(len(confidence)), np.asarray(predicted, dtype=int)
    own = confidence[rows, predicted].copy()
    confidence[rows, predicted] = -np.inf
    return own - confidence.max(axis=1)


def patient_scores(labels, confidence, *, classes, patients) -> dict:
    """Score patients instead of slides: a patient's confidence is the mean of its slides'.

    Parameters
    ----------
    labels, confidence, classes, patients
        As for `classification_scores`. A slide without a confidence has no part in the mean; a patient whose slides all
        have none counts as wrong.

    Returns
    -------
    dict
        all : patients.
        several_labels : those among them whose slides have different labels, which have no truth and count nowhere.
        n, correct, accuracy, accuracy_ci95 : of the others, with the exact interval.
        auc : of these, as for slides.

        None where there is no patient with one label.

    Examples
    --------
    >>> scores = patient_scores(
    ...     ["a", "a", "b"], [-2.0, 0.5, 1.0], classes=["a", "b"], patients=["p", "p", "q"]
    ... )
    >>> scores["n"], scores["correct"], scores["auc"]
    (2, 2, 1.0)
    """
    labels, confidence = np.asarray(labels, dtype=str), np.asarray(confidence, dtype=np.float64)
    names, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    columns = confidence.reshape(len(labels), -1)
    known = ~np.isnan(columns).any(axis=1)
    count = np.bincount(patient[known], minlength=len(names))
    sums = np.stack([np.bincount(patient[known], column[known], len(names)) for column in columns.T], axis=1)
    means = np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], np.nan)
    first = np.zeros(len(names), int)
    first[patient[::-1]] = np.arange(len(labels))[::-1]
    truth = labels[first]
    one_label = np.bincount(patient, labels != truth[patient], len(names)) == 0
    scores = {"all": len(names), "several_labels": int((~one_label).sum()), "n": int(one_label.sum())}
    if not scores["n"]:
        return scores | dict.fromkeys(("correct", "accuracy", "accuracy_ci95", "auc"))
    truth, means, missing = truth[one_label], means[one_label], (count == 0)[one_label]
    best = (means[:, 0] > 0).astype(int) if len(classes) == 2 else np.nan_to_num(means).argmax(axis=1)
    correct = int(((np.array(classes)[best] == truth) & ~missing).sum())
    told = means[:, 0] if len(classes) == 2 else means
    scores |= {"correct": correct, "accuracy": correct / scores["n"]}
    scores["accuracy_ci95"] = exact_interval(correct, scores["n"])
    return scores | {"auc": number(_macro_auc(_one_against_rest(truth, told, missing, classes)))}


def one_class_scores(positive, found, confidence, *, missing=None) -> dict:
    """Score how well one class is told from all others.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
        Who is of the class.
    found : ndarray of bool, shape (n,)
        Who is predicted to be.
    confidence : ndarray, shape (n,)
        Larger ones speak for the class.
    missing : ndarray of bool, shape (n,), optional
        Who has no prediction: neither of the class nor of the others, so that it is wrong either way. Its confidence
        stands at the worst end.

    Returns
    -------
    dict
        What is undefined is None.

        n, predicted : slides of the class, and slides predicted to be.
        accuracy : the share of all slides that are rightly said to be of the class or not to be: of the binary task
            "this class or another".
        sensitivity, sensitivity_ci95, specificity, specificity_ci95 : the share of the class that is found, of the
            others that are not taken for it, with exact intervals.
        ppv, npv : the share of those predicted to be of the class that are, and of those predicted to be of another
            that are not.
        f1 : 2 hits / (n + predicted).
        auc : against the rest.
        average_precision : mean precision over the slides of the class, each at the cut that just lets it in; equal
            confidences are let in together.

    Examples
    --------
    >>> positive, found = np.array([1, 1, 0, 0, 0], bool), np.array([1, 0, 1, 0, 0], bool)
    >>> scores = one_class_scores(positive, found, np.array([0.9, 0.3, 0.5, 0.2, 0.1]))
    >>> {key: round(scores[key], 3) for key in ("sensitivity", "specificity", "ppv", "npv", "f1")}
    {'sensitivity': 0.5, 'specificity': 0.667, 'ppv': 0.5, 'npv': 0.667, 'f1': 0.5}
    >>> round(scores["average_precision"], 3), round(scores["auc"], 3)
    (0.833, 0.833)
    """
    n, predicted, hits = int(positive.sum()), int(found.sum()), int((positive & found).sum())
    passed = ~found if missing is None else ~(found | missing)
    others, spared = len(positive) - n, int((~positive & passed).sum())
    place = np.unique(confidence, return_inverse=True)[1]
    return {
        "n": n,
        "predicted": predicted,
        "accuracy": (hits + spared) / len(positive),
        "sensitivity": hits / n if n else None,
        "sensitivity_ci95": exact_interval(hits, n),
        "specificity": spared / others if others else None,
        "specificity_ci95": exact_interval(spared, others),
        "ppv": hits / predicted if predicted else None,
        "npv": spared / int(passed.sum()) if passed.any() else None,
        "f1": 2 * hits / (n + predicted) if n + predicted else None,
        "auc": number(_auc(positive, place)),
        "average_precision": _average_precision(positive, place),
    }


def _average_precision(positive, place):
    if not positive.any():
        return None
    size = place.max() + 1
    own, every = (np.bincount(place, chosen, size)[::-1] for chosen in (positive * 1.0, np.ones(len(place))))
    return float((own * own.cumsum() / every.cumsum()).sum() / own.sum())


def _turned(positive, place):
    """Return a column as the other class sees it; a slide without a prediction is at the worst end there too."""
    return ~positive, place.max() - place


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
    if (count := scores["patients"]["all"]) < FEW_PATIENTS:
        notes.append(f"{count} patients: below {FEW_PATIENTS}, intervals mean little.")
    absent = [name for name, share in recall.items() if share is None]
    if absent:
        notes.append(f"No slide of {', '.join(absent)}: what needs one is undefined.")
    if scores["no_prediction"]:
        notes.append(f"{scores['no_prediction']} of {scores['n']} slides without prediction count as wrong.")
    return notes


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
        by_fold[str(fold)] = number(_macro_auc([(positive[held], place[held]) for positive, place in columns]))
    defined = [auc for auc in by_fold.values() if auc is not None]
    return {"auc_by_fold": by_fold, "auc_fold_mean": mean(defined), "auc_folds": len(defined)}


def _bootstrap(hit, columns, classes, patient, seed, draws):
    """Return accuracy, AUC and balanced accuracy for each draw of patients with replacement, (draws, 3)."""
    generator = np.random.default_rng(seed)
    count = patient.max() + 1
    values = np.empty((draws, 3))
    members = np.array(classes, dtype=np.float64)
    for draw in range(draws):
        times = np.bincount(generator.integers(count, size=count), minlength=count)
        weight = times[patient].astype(np.float64)
        rows = members @ weight
        balanced = (members @ (weight * hit) / rows).mean() if rows.all() else np.nan
        values[draw] = weight @ hit / weight.sum(), _macro_auc(columns, weight), balanced
    return values
