"""One setting of a method varied at a time, in the folds of the method itself.

The paper chose its 3-norm and 336 px by cross-validation and keeps 100 features (sections 3.1 and 3.2).

Each value is judged as the method is: in each fold, what is not fixed is chosen inside the training rows, and slides of
the fold are judged by a model that never saw them. To pick the best of these values and to report its score would be
another matter: the pick saw every label.
"""

from slidecaf.classification.classifier import fit_part
from slidecaf.classification.pooled_svm import decide
from slidecaf.classification.svm import predicted_classes
from slidecaf.classification.vectors import PooledVectors, held_out_slides, training_slides
from slidecaf.files.tables import read_tsv, write_tsv
from slidecaf.scores.intervals import exact_interval
from slidecaf.scores.paired import mcnemar_exact
from slidecaf.study.status import STATUS_COPY, STATUS_OK

COLUMNS = ("factor", "value", "own", "n", "correct", "score", "ci_low", "ci_high", "difference", "p")


def try_value(path, *, pooled, folds, parts, settings, rows, classes, on_bad_slide="fail", **choice) -> None:
    """Judge every training slide with one setting fixed, fold by fold.

    Parameters
    ----------
    path : path-like
        The table that is written, a row a slide by fold: slide, fold, predicted, and what the fold's inner
        cross-validation chose. A slide without a vector has no prediction.
    pooled : dict of str to dict of str to path-like
        Feature set to slide to pooled file, of all training slides.
    folds : path-like
        The method's table of folds.
    parts : sequence of str
        ``fold-0``, ``fold-1``, ...
    settings : slidecaf.study.config.ClassificationSvm
        The method's, the list of what is varied with its one value.
    rows : sequence of dict
        Training rows: slide, label, patient.
    classes : sequence of str
        (negative, positive) where there are two.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide that could not be read is an error here.
    **choice
        ``inner_folds``, ``seed`` and ``method``, as for `slidecaf.classification.kinds.Training`.

    Raises
    ------
    SlidecafError
        As `slidecaf.classification.classifier.fit_part`; or if a file is missing or damaged.
    """
    dealt = read_tsv(folds)
    vectors = PooledVectors.read(
        pooled, slides=[row["slide"] for row in dealt], wanted=settings.plain(), on_bad_slide=on_bad_slide
    )
    table = []
    for part in parts:
        _, learned = fit_part(
            vectors, training_slides(dealt, part), rows=rows, classes=classes, settings=settings, **choice
        )
        held_out, chosen = held_out_slides(dealt, part), learned.chosen
        usable = [slide for slide in held_out if vectors.status[chosen["features"], slide] == STATUS_OK]
        predicted = dict.fromkeys(held_out, "")
        if usable:
            confidence = decide({**chosen, **learned.model}, vectors, usable)
            predicted |= dict(zip(usable, map(str, predicted_classes(confidence, classes)), strict=True))
        fold = part.removeprefix("fold-")
        table += [{"slide": slide, "fold": fold, "predicted": predicted[slide], **chosen} for slide in held_out]
    write_tsv(path, ["slide", "fold", "predicted", *learned.chosen], table)


def write_ablation(path, *, predictions, tried, own) -> None:
    """Set the values that were tried side by side, each against the method itself.

    Parameters
    ----------
    path : path-like
        The table that is written, a row a value: factor, value, own (``yes`` where the method has the value among its
        candidates), n, correct, score (accuracy over all left-out slides), ci_low and ci_high (exact binomial),
        difference (to the method's own score) and p (McNemar exact, paired with the method).
    predictions : path-like
        ``predictions.tsv`` of the method.
    tried : sequence of (str, object, path-like)
        Factor, value and the table that `try_value` wrote.
    own : dict of str to list
        The method's candidates by factor.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    known = [row for row in read_tsv(predictions) if row["split"] == "cv" and row["status"] != STATUS_COPY]
    right = [row["predicted"] == row["label"] for row in known]
    table = []
    for factor, value, judged in tried:
        predicted = {row["slide"]: row["predicted"] for row in read_tsv(judged)}
        hits = [predicted[row["slide"]] == row["label"] for row in known]
        low, high = exact_interval(sum(hits), len(hits))
        table.append(
            {
                "factor": factor,
                "value": value,
                "own": "yes" if value in own[factor] else "",
                "n": len(hits),
                "correct": sum(hits),
                "score": sum(hits) / len(hits),
                "ci_low": low,
                "ci_high": high,
                "difference": (sum(hits) - sum(right)) / len(hits),
                "p": mcnemar_exact(hits, right)["p"],
            }
        )
    write_tsv(path, COLUMNS, table)
