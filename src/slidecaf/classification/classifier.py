"""A part's classifier, fitted and used: its files in, its files out.

A part learns from the training slides that it does not leave out, and nothing of the others reaches it.
"""

from itertools import product

from slidecaf.classification.choice import choose
from slidecaf.classification.svm import LinearSVM, predicted_classes
from slidecaf.classification.vectors import PooledVectors, held_out_slides, rows_of, training_slides
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.logs import logger
from slidecaf.pooling.norms import parse_norm


def fit_classifier(
    *,
    choice,
    selection,
    model,
    pooled,
    folds,
    part,
    rows,
    classes,
    grid,
    inner_folds,
    seed,
    max_iter,
    on_bad_slide="fail",
    method="the method",
) -> None:
    """Choose a part's candidate, select its features and fit its SVM, from pooled vectors that are read once.

    Parameters
    ----------
    choice, selection, model : path-like
        The files that are written: ``choice.json``, what `choose` gives, and the slides without a vector as
        ``left_out``; ``selection.tsv`` with rank, feature and difference of class means; ``model.json``, the SVM with
        its feature set, norm and selection.
    pooled : dict of str to dict of str to path-like
        Feature set to slide to pooled file, of the part's training slides at least.
    folds : path-like
        The table of folds.
    part : str
        ``fold-{k}`` or ``final``.
    rows : sequence of dict
        Training rows: slide, label, patient.
    classes : sequence of str
        (negative, positive) where there are two.
    grid : dict
        ``features``, ``norm``, ``keep`` and ``C``, each a list of candidates as in the config.
    inner_folds, seed, max_iter, method
        As for `choose`.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide that could not be read is an error here.

    Raises
    ------
    SlidecafError
        As `choose`; or if a class has no slide with a patch, or a file is missing or damaged.
    """
    slides = training_slides(read_tsv(folds), part)
    norms = [parse_norm(norm) for norm in grid["norm"]]
    candidates = {name: pooled[name] for name in grid["features"]}
    vectors = PooledVectors(candidates, slides=slides, norms=norms, on_bad_slide=on_bad_slide)
    usable, found, fitted = fit_part(
        vectors,
        slides,
        rows=rows,
        classes=classes,
        grid=grid,
        inner_folds=inner_folds,
        seed=seed,
        max_iter=max_iter,
        method=method,
    )
    for dropped in found["dropped"]:
        logger.warning("dropped: %s", dropped)
    logger.info("chosen: %s. %s", found["chosen"], found["note"])
    kept = fitted.selection.tolist()
    ranked = [
        {"rank": rank, "feature": feature, "difference": fitted.difference[feature]}
        for rank, feature in enumerate(kept, 1)
    ]
    seen = {key: found["chosen"][key] for key in ("features", "norm")} | {"selection": kept}
    write_json(choice, {**found, "left_out": sorted(set(slides) - set(usable))})
    write_tsv(selection, ["rank", "feature", "difference"], ranked)
    write_json(model, {**seen, **fitted.model.to_dict()})


def fit_part(vectors, slides, *, rows, classes, grid, inner_folds, seed, max_iter, method="the method") -> tuple:
    """Choose among candidates on some training slides, and fit what was chosen.

    Parameters
    ----------
    vectors : slidecaf.classification.vectors.PooledVectors
        Of these slides at least, in every feature set and norm of the grid.
    slides : sequence of str
        The slides that may be learned from, sorted.
    rows, classes, grid, inner_folds, seed, max_iter, method
        As for `fit_classifier`.

    Returns
    -------
    usable : list of str
        The slides that have a vector in every feature set, which are learned from.
    choice : dict
    fitted : slidecaf.classification.choice.Fitted
        Both as `slidecaf.classification.choice.choose` gives them.

    Raises
    ------
    SlidecafError
        As `slidecaf.classification.choice.choose`; or if a class has no slide with a patch.
    """
    usable = vectors.usable(slides)
    used = rows_of(rows, usable, classes)
    candidates = product(grid["features"], map(parse_norm, grid["norm"]))
    found, fitted = choose(
        {(name, norm): vectors.matrix(name, norm, usable) for name, norm in candidates},
        [row["label"] for row in used],
        [row["patient"] for row in used],
        classes=classes,
        grid=grid,
        inner_folds=inner_folds,
        seed=seed,
        max_iter=max_iter,
        method=method,
    )
    return usable, found, fitted


def decide(path, *, model, pooled, folds, part, slides=(), on_bad_slide="fail") -> None:
    """Let a part's model decide on slides that it never saw, and write ``decisions.tsv``.

    Parameters
    ----------
    path : path-like
        The table, a row a slide: slide, predicted, confidence (with more than two classes one a class), patches,
        status. A slide without a vector has neither prediction nor confidence.
    model : path-like
        ``model.json`` of the part.
    pooled : dict of str to dict of str to path-like
        Feature set to slide to pooled file; those of the model's are read.
    folds : path-like
        The table of folds.
    part : str
        ``fold-{k}`` decides on the training slides that it holds out,
    slides : iterable of str, optional
        ``final`` on these, the test slides.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide that could not be read is an error here.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    stored = read_json(model)
    name, norm, svm = stored["features"], parse_norm(stored["norm"]), LinearSVM.from_dict(stored)
    wanted = sorted(slides) if part == "final" else held_out_slides(read_tsv(folds), part)
    vectors = PooledVectors({name: pooled[name]}, slides=wanted, norms=[norm], on_bad_slide=on_bad_slide)
    columns = ["confidence"] if len(svm.classes) == 2 else [f"confidence_{label}" for label in svm.classes]
    table = {
        slide: {"slide": slide, "patches": vectors.patches[name, slide], "status": vectors.status[name, slide]}
        for slide in wanted
    }
    usable = vectors.usable(wanted)
    if usable:
        confidence = svm.decision(vectors.matrix(name, norm, usable)[:, stored["selection"]])
        predicted = predicted_classes(confidence, svm.classes)
        for slide, label, values in zip(usable, predicted, confidence.reshape(len(usable), -1), strict=True):
            table[slide] |= {"predicted": str(label), **dict(zip(columns, values, strict=True))}
    write_tsv(path, ["slide", "predicted", *columns, "patches", "status"], table.values())
