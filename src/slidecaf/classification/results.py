"""The classification's tables: predictions beside labels, their scores, and methods compared."""

from itertools import combinations

import numpy as np

from slidecaf.classification.svm import predicted_classes
from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.scores.calibration import fit_curves, operating_threshold, probabilities, probability_scores
from slidecaf.scores.classification import classification_scores, one_class_scores
from slidecaf.scores.paired import mcnemar_exact
from slidecaf.study.names import confidence_columns
from slidecaf.study.status import STATUS_COPY, STATUS_FEW

COLUMNS = ("method", "kind", "n", "score", "ci_low", "ci_high", "difference", "p", "seconds", "memory_gib", "note")
"""Of the table of methods."""

SPLITS = {"cross_validation": "cv", "test": "test"}
"""What scores call the rows of a split."""


def write_predictions_and_scores(
    *,
    predictions,
    scores,
    decisions,
    inner,
    folds,
    rows,
    classes,
    method,
    copies,
    group_name,
    caveats,
    seed,
    rare_classes=None,
    item_name="slide",
    sensitivity=None,
    calibration=None,
) -> None:
    """Put a method's decisions beside the labels, and score them.

    Confidences become probabilities by curves that no held-out row has a part in: those of a fold are fitted to its
    training rows, as models of its inner folds saw them from outside, those of the test rows to the folds' decisions.

    Parameters
    ----------
    predictions, scores : path-like
        The files that are written: ``predictions.tsv``, a row a slide, and ``scores.json``.
    decisions : dict of str to path-like
        Part to ``decisions.tsv``: of every fold, and ``final`` where there are test rows.
    inner : dict of str to path-like
        Fold to ``inner.tsv``.
    folds : path-like
        The table of folds.
    rows : sequence of dict
        Rows of the sheet: slide, label, patient, split; copies and rare classes too. A test row may have an empty
        label; it counts nowhere.
    classes : sequence of str
        (negative, positive) where there are two.
    method : str
        Its name.
    copies : dict of str to str
        Slides that are left out as copies to the slides that they are copies of; they are listed and count nowhere.
    group_name : str
        What a patient is called.
    caveats : sequence of str
        What has to be said wherever the numbers show.
    seed : int
        Of the bootstrap.
    rare_classes : dict of str to int, optional
        Classes that are left out, having too few rows, to how many they have. Their rows are listed with an empty split
        and count nowhere.
    item_name : str, optional
        What a slide is called.
    sensitivity : float, optional
        Of two classes, the share of positive slides that each part's operating point is to find.
    calibration : dict, optional
        ``curves`` and ``threshold`` of the final part, where a model that is given was calibrated by its own study.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    fold_of = {row["slide"]: row["fold"] for row in read_tsv(folds)}
    by_slide = {row["slide"]: row for row in rows}
    columns, told = confidence_columns(classes), confidence_columns(classes, "probability")
    table = []
    for part, path in decisions.items():
        split = "test" if part == "final" else "cv"
        for decided in read_tsv(path):
            row = by_slide[decided["slide"]]
            known = {"patient": row["patient"], "label": row["label"], "split": split}
            table.append({**decided, **known, "fold": fold_of.get(decided["slide"], ""), "part": part})
    learned = {
        part: [{**row, "label": by_slide[row["slide"]]["label"]} for row in read_tsv(path)]
        for part, path in inner.items()
    }
    learned["final"] = [row for row in table if row["split"] == "cv" and row["predicted"]]
    curves = {part: _curves(own, columns, classes) for part, own in learned.items()}
    if calibration:
        curves["final"] = calibration["curves"]
    for part in decisions:
        own = [row for row in table if row["part"] == part]
        if own and curves[part]:
            values = probabilities(_numbers(own, columns), curves[part]).reshape(len(own), -1)
            for row, probability in zip(own, values, strict=True):
                row |= {key: value for key, value in zip(told, probability.tolist(), strict=True) if row["predicted"]}
    for slide in copies:
        row = by_slide[slide]
        known = {key: row[key] for key in ("slide", "patient", "label")}
        table.append({**known, "split": "test" if row["split"] == "test" else "cv", "status": STATUS_COPY})
    rare_classes = rare_classes or {}
    for row in rows:
        if row["label"] in rare_classes and row["slide"] not in copies:
            known = {key: row[key] for key in ("slide", "patient", "label")}
            table.append({**known, "split": "", "status": STATUS_FEW})
    table.sort(key=lambda row: (row["split"], row["slide"]))
    header = ["slide", "patient", "split", "fold", "label", "predicted", *columns, *told, "patches", "status"]
    write_tsv(predictions, header, table)
    said = {"method": method, "classes": classes, "group_name": group_name, "caveats": caveats, "copies": copies}
    said |= {"item_name": item_name, "rare_classes": rare_classes, "calibration": curves}
    scored = {name: _score(_labelled(table, split), columns, told, classes, seed) for name, split in SPLITS.items()}
    if sensitivity is not None:
        said["sensitivity"] = sensitivity
        thresholds = {part: _threshold(own, classes, sensitivity) for part, own in learned.items()}
        if calibration:
            thresholds["final"] = calibration["threshold"]
        for name, split in SPLITS.items():
            if scored[name]:
                scored[name]["operating_point"] = _operating_point(_labelled(table, split), classes, thresholds)
        said["thresholds"] = thresholds
    for name, split in SPLITS.items():
        if stages := _stages(_labelled(table, split), columns, classes, seed):
            scored[name]["stages"] = stages
    write_json(scores, {**said, **scored})


def _labelled(table, split):
    return [row for row in table if row["split"] == split and row["label"] and row["status"] != STATUS_COPY]


def _numbers(rows, columns):
    """Return columns of rows as numbers, shape (n,) of one column and (n, K) of K; NaN where a cell is empty."""
    values = np.array([[float(row.get(column) or "nan") for column in columns] for row in rows])
    return values[:, 0] if len(columns) == 1 else values


def _curves(rows, columns, classes):
    """Fit the curves of a part to the rows that its models were told nothing of; None where a class has none."""
    labels = [row["label"] for row in rows]
    return fit_curves(_numbers(rows, columns), labels, classes) if set(labels) == set(classes) else None


def _threshold(rows, classes, sensitivity):
    """Return the operating point of a part; None where no positive row is known."""
    positive = np.array([row["label"] == classes[1] for row in rows], bool)
    return operating_threshold(_numbers(rows, ["confidence"]), positive, sensitivity) if positive.any() else None


def _operating_point(rows, classes, thresholds):
    """Score rows at the operating points of their parts; None where a part has none.

    A slide without a prediction is found by no threshold, and is wrong if it is negative too.
    """
    if any(thresholds[part] is None for part in {row["part"] for row in rows}):
        return None
    positive = np.array([row["label"] == classes[1] for row in rows])
    missing = np.array([not row["predicted"] for row in rows])
    confidence = np.array([float(row["confidence"] or "nan") for row in rows])
    found = confidence >= np.array([thresholds[row["part"]] for row in rows])
    kept = ("n", "sensitivity", "sensitivity_ci95", "specificity", "specificity_ci95", "ppv", "npv")
    scored = one_class_scores(positive, found, np.nan_to_num(confidence), missing=missing)
    return {key: scored[key] for key in kept}


def _score(rows, columns, told, classes, seed):
    """Score rows with a label; None where there is none."""
    if not rows:
        return None
    labels = [row["label"] for row in rows]
    scored = classification_scores(
        labels,
        [row["predicted"] for row in rows],
        _numbers(rows, columns),
        classes=classes,
        patients=[row["patient"] for row in rows],
        folds=[row["fold"] for row in rows] if rows[0]["split"] == "cv" else None,
        seed=seed,
    )
    return scored | probability_scores(labels, _numbers(rows, told), classes)


def _stages(rows, columns, classes, seed):
    """Score what each of two stages says by itself, paired with what they decide; nothing where there is one stage.

    The p of a stage is McNemar's, of its hits against those of the decisions.
    """
    if not rows or f"stage_1_{columns[0]}" not in rows[0]:
        return []
    labels, found = [row["label"] for row in rows], []
    right = [row["predicted"] == row["label"] for row in rows]
    for stage in (1, 2):
        confidence = _numbers(rows, [f"stage_{stage}_{column}" for column in columns])
        told = np.isfinite(confidence) if confidence.ndim == 1 else np.isfinite(confidence).all(axis=1)
        predicted = np.full(len(rows), "", object)
        predicted[told] = predicted_classes(confidence[told], classes) if told.any() else ""
        patients = [row["patient"] for row in rows]
        own = classification_scores(labels, predicted, confidence, classes=classes, patients=patients, seed=seed)
        kept = {key: own[key] for key in ("n", "correct", "accuracy", "auc", "auc_bootstrap_ci95")}
        hits = [label == guess for label, guess in zip(labels, predicted, strict=True)]
        by_class = {label: of["auc"] for label, of in own["by_class"].items()}
        found.append({"stage": stage, **kept, "auc_by_class": by_class, "p": mcnemar_exact(hits, right)["p"]})
    return found


def write_comparison(path, predictions) -> None:
    """Compare methods pair by pair on the same slides, by McNemar's exact test.

    Parameters
    ----------
    path : path-like
        JSON that is written: a list of dict with first, second, part and what `mcnemar_exact` gives.
    predictions : dict of str to path-like
        Method to ``predictions.tsv``, in the order in which pairs are taken.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    tables, compared = {method: read_tsv(table) for method, table in predictions.items()}, []
    for pair in combinations(tables, 2):
        for part, split in SPLITS.items():
            right = [[row["predicted"] == row["label"] for row in _labelled(tables[name], split)] for name in pair]
            if right[0]:
                first, second = pair
                compared.append({"first": first, "second": second, "part": part, **mcnemar_exact(*right)})
    write_json(path, compared)


def write_methods(path, methods, *, predictions, scores, costs) -> None:
    """Set methods side by side: each with its accuracy, and paired with the first.

    Parameters
    ----------
    path : path-like
        The table that is written, a row a method: method, kind, n, score (accuracy over all left-out slides), ci_low
        and ci_high (exact binomial), difference (to the first method's score) and p (McNemar exact, paired with the
        first method), both empty for the first, seconds and memory_gib (as measured), note.
    methods : dict of str to dict
        Method to its ``kind`` and ``note``, in order.
    predictions, scores : dict of str to path-like
        Method to ``predictions.tsv`` and to ``scores.json``.
    costs : dict of str to dict
        Method to its ``seconds`` and ``memory_gib``, None where they are not known.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged, or two methods were not judged on the same slides in the same folds.
    """
    table, first = [], None
    for method, known in methods.items():
        rows = {row["slide"]: row for row in _labelled(read_tsv(predictions[method]), "cv")}
        first = first or (predictions[method], rows)
        _same_folds(predictions[method], rows, *first)
        found = read_json(scores[method])["cross_validation"]
        low, high = found["accuracy_ci95"]
        row = {"method": method, **known, "n": found["n"], "score": found["accuracy"], "ci_low": low, "ci_high": high}
        if table:
            right, others = ([one["predicted"] == one["label"] for one in own.values()] for own in (rows, first[1]))
            row |= {"difference": (sum(right) - sum(others)) / len(right), "p": mcnemar_exact(right, others)["p"]}
        table.append(row | costs[method])
    write_tsv(path, COLUMNS, table)


def _same_folds(path, rows, first, others):
    """Make sure that two methods were judged on the same slides, left out together, by the same labels."""
    for slide in sorted(rows.keys() | others.keys()):
        for key in ("slide", "label", "fold"):
            found, known = (own.get(slide, {}).get(key, "") for own in (rows, others))
            if found != known:
                raise SlidecafError(
                    f"{path}: slide {slide}: {key} is {found!r}, and {known!r} in {first}, so that the two cannot be "
                    "compared; delete both files and run again."
                )
