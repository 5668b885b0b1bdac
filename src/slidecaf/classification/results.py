"""The classification's tables: predictions beside labels, their scores, and methods compared."""

from itertools import combinations

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.scores.classification import classification_scores
from slidecaf.scores.paired import mcnemar_exact
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
) -> None:
    """Put a method's decisions beside the labels, and score them.

    Parameters
    ----------
    predictions, scores : path-like
        The files that are written: ``predictions.tsv``, a row a slide, and ``scores.json``.
    decisions : dict of str to path-like
        Part to ``decisions.tsv``: of every fold, and ``final`` where there are test rows.
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

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    fold_of = {row["slide"]: row["fold"] for row in read_tsv(folds)}
    by_slide = {row["slide"]: row for row in rows}
    columns = ["confidence"] if len(classes) == 2 else [f"confidence_{label}" for label in classes]
    table = []
    for part, path in decisions.items():
        split = "test" if part == "final" else "cv"
        for decided in read_tsv(path):
            row = by_slide[decided["slide"]]
            known = {"patient": row["patient"], "label": row["label"], "split": split}
            table.append({**decided, **known, "fold": fold_of.get(decided["slide"], "")})
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
    header = ["slide", "patient", "split", "fold", "label", "predicted", *columns, "patches", "status"]
    write_tsv(predictions, header, table)
    said = {"method": method, "classes": classes, "group_name": group_name, "caveats": caveats, "copies": copies}
    said |= {"item_name": item_name, "rare_classes": rare_classes}
    scored = {name: _score(_labelled(table, split), columns, classes, seed) for name, split in SPLITS.items()}
    write_json(scores, {**said, **scored})


def _labelled(table, split):
    return [row for row in table if row["split"] == split and row["label"] and row["status"] != STATUS_COPY]


def _score(rows, columns, classes, seed):
    """Score rows with a label; None where there is none."""
    if not rows:
        return None
    confidence = np.array([[float(row[column] or "nan") for column in columns] for row in rows])
    return classification_scores(
        [row["label"] for row in rows],
        [row["predicted"] for row in rows],
        confidence[:, 0] if len(columns) == 1 else confidence,
        classes=classes,
        patients=[row["patient"] for row in rows],
        folds=[row["fold"] for row in rows] if rows[0]["split"] == "cv" else None,
        seed=seed,
    )


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
