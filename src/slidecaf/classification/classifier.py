"""A part's classifier, fitted and used, whatever its kind: its files in, its files out.

A part learns from the training slides that it does not leave out, and nothing of the others reaches it. What a kind
does itself stands in its own module, as `slidecaf.classification.kinds` describes it.
"""

import numpy as np

from slidecaf.classification.kinds import Learned, Training, module_of
from slidecaf.classification.svm import predicted_classes
from slidecaf.classification.vectors import held_out_slides, rows_of, training_slides
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.study.names import confidence_columns


def fit_classifier(
    *,
    choice,
    selection,
    model,
    inner,
    vectors,
    folds,
    part,
    rows,
    classes,
    settings,
    inner_folds,
    seed,
    threads=1,
    memory=8,
    on_bad_slide="fail",
    method="the method",
) -> None:
    """Let a method learn from a part's training slides, and write what it chose, looks at and has learnt.

    Parameters
    ----------
    choice, selection, model, inner : path-like
        The files that are written: ``choice.json``, the settings chosen and from what, and the slides without a patch
        as ``left_out``; ``selection.tsv`` with rank, feature and how much it counts; ``model.json`` with the feature
        set, the classes and, of pooled vectors, the norm; ``inner.tsv`` with slide and confidence (with more than two
        classes one a class), each by an inner model that did not see the slide. That is empty where there was no inner
        cross-validation: in a fold, where a class has one patient, an SVM did not converge or the kind has none; in
        ``final``, also where there was nothing to choose.
    vectors : dict of str to dict of str to path-like
        Feature set to slide to pooled or features file, as the kind reads them; of the part's training slides at least.
    folds : path-like
        The table of folds.
    part : str
        ``fold-{k}`` or ``final``.
    rows : sequence of dict
        Training rows: slide, label, patient.
    classes : sequence of str
        (negative, positive) where there are two.
    settings : slidecaf.study.config.Settings
        The method's.
    inner_folds, seed, threads, memory, method
        As for `slidecaf.classification.kinds.Training`.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide that could not be read is an error here.

    Raises
    ------
    SlidecafError
        As the kind's ``fit``; or if a class has no slide with a patch, or a file is missing or damaged.
    """
    slides = training_slides(read_tsv(folds), part)
    source = module_of(settings.way).SOURCE.read(
        vectors, slides=slides, wanted=settings.plain(), on_bad_slide=on_bad_slide
    )
    usable, learned = fit_part(
        source,
        slides,
        rows=rows,
        classes=classes,
        settings=settings,
        inner_folds=inner_folds,
        seed=seed,
        threads=threads,
        memory=memory,
        method=method,
        calibrated=part != "final",
    )
    seen = {key: learned.chosen[key] for key in ("features", "norm") if key in learned.chosen}
    found = learned.choice or _nothing_to_choose(learned.chosen, len(usable), inner_folds)
    told = dict(zip(usable, [] if learned.inner is None else learned.inner, strict=False))
    write_json(choice, {**found, "left_out": sorted(set(slides) - set(usable))})
    write_selection(selection, learned.weights, learned.measure)
    write_json(model, {**seen, **learned.model, "classes": list(classes)})
    write_inner(inner, told, classes)


def write_selection(path, weights, measure="weight") -> None:
    """Write ``selection.tsv``.

    Parameters
    ----------
    path : path-like
    weights : mapping of int to float
        Feature to how much it counts, the first first.
    measure : str, optional
        What this is called.
    """
    ranked = [{"rank": rank, "feature": key, measure: value} for rank, (key, value) in enumerate(weights.items(), 1)]
    write_tsv(path, ["rank", "feature", measure], ranked)


def write_inner(path, told, classes) -> None:
    """Write ``inner.tsv``.

    Parameters
    ----------
    path : path-like
    told : mapping of str to array_like of float
        Slide to its confidence, or with more than two classes one a class.
    classes : sequence of str
    """
    columns = confidence_columns(classes)
    rows = [
        {"slide": slide, **dict(zip(columns, np.atleast_1d(values), strict=True))} for slide, values in told.items()
    ]
    write_tsv(path, ["slide", *columns], rows)


def fit_part(source, slides, *, rows, classes, settings, **further) -> tuple[list, Learned]:
    """Let a method learn from some training slides.

    Parameters
    ----------
    source : object
        The kind's ``SOURCE`` with these slides at least.
    slides : sequence of str
        The slides that may be learned from, sorted.
    rows, classes, settings
        As for `fit_classifier`.
    **further
        ``inner_folds``, ``seed``, ``threads``, ``memory``, ``method`` and ``calibrated``, as for
        `slidecaf.classification.kinds.Training`.

    Returns
    -------
    usable : list of str
        The slides that have a patch, which are learned from.
    learned : Learned

    Raises
    ------
    SlidecafError
        As the kind's ``fit``; or if a class has no slide with a patch.
    """
    usable = source.usable(slides)
    used = rows_of(rows, usable, classes)
    labels, patients = ([row[key] for row in used] for key in ("label", "patient"))
    return usable, module_of(settings.way).fit(Training(source, usable, labels, patients, classes, settings, **further))


def _nothing_to_choose(chosen, n, inner_folds):
    """Return what ``choice.json`` says of a single candidate, as `slidecaf.classification.choice.choose` does."""
    judged = {"correct": None, "accuracy": None}
    return {
        "chosen": dict(chosen),
        "n": n,
        **judged,
        "inner_folds": None,
        "inner_folds_wanted": inner_folds,
        "note": "One candidate: nothing to choose.",
        "candidates": [{**chosen, **judged}],
        "dropped": [],
    }


def decide(path, *, kind, model, vectors, folds, part, slides=(), on_bad_slide="fail") -> None:
    """Let a part's model decide on slides that it never saw, and write ``decisions.tsv``.

    Parameters
    ----------
    path : path-like
        The table, a row a slide: slide, predicted, confidence (with more than two classes one a class), patches,
        status. A slide without a patch has neither prediction nor confidence.
    kind : str
        Of the method.
    model : path-like
        ``model.json`` of the part.
    vectors : dict of str to dict of str to path-like
        As for `fit_classifier`; those of the model's feature set are read.
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
    stored, module = read_json(model), module_of(kind)
    name, classes = stored["features"], stored["classes"]
    wanted = sorted(slides) if part == "final" else held_out_slides(read_tsv(folds), part)
    seen = {key: [stored[key]] for key in ("features", "norm") if key in stored}
    source = module.SOURCE.read(vectors, slides=wanted, wanted=seen, on_bad_slide=on_bad_slide)
    usable = source.usable(wanted)
    confidence = module.decide(stored, source, usable) if usable else ()
    write_decisions(
        path,
        wanted,
        dict(zip(usable, confidence, strict=True)),
        classes,
        patches={slide: source.patches[name, slide] for slide in wanted},
        status={slide: source.status[name, slide] for slide in wanted},
    )


def write_decisions(path, slides, confidence, classes, *, patches, status, further=None, columns=()) -> None:
    """Write ``decisions.tsv``.

    Parameters
    ----------
    path : path-like
        As for `decide`.
    slides : sequence of str
    confidence : mapping of str to float or ndarray of float, shape (K,)
        Of those that have one.
    classes : sequence of str, K of them
    patches, status : mapping of str to int and str
        Of all.
    further : mapping of str to mapping, optional
        Slide to what its row says under `columns`.
    columns : sequence of str, optional
        Of the kind, behind those of every kind.
    """
    confidences = confidence_columns(classes)
    table = {slide: {"slide": slide, "patches": patches[slide], "status": status[slide]} for slide in slides}
    for slide, own in (further or {}).items():
        table[slide] |= own
    if confidence:
        predicted = predicted_classes(np.array(list(confidence.values())), classes)
        for label, (slide, values) in zip(predicted, confidence.items(), strict=True):
            table[slide] |= {"predicted": str(label), **dict(zip(confidences, np.atleast_1d(values), strict=True))}
    write_tsv(path, ["slide", "predicted", *confidences, "patches", "status", *columns], table.values())
