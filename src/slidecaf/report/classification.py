"""What the report says of a classification method."""

import numpy as np
from PIL import Image

from slidecaf.classification.figure import read_figure
from slidecaf.classification.neurons import NEURONS
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.report import charts
from slidecaf.report.activations import every_class, missed
from slidecaf.report.collection import LISTED, gallery, shortened, sureness_of
from slidecaf.report.heatmaps import explanations
from slidecaf.report.paper import ANATOMY, CHALLENGE_CLASSIFICATION, METHODS_CLASSIFICATION
from slidecaf.report.pictures import open_picture, outline_tiles, shrunk, veil
from slidecaf.scores.intervals import exact_interval
from slidecaf.study.config import patch_sets
from slidecaf.study.names import split_output
from slidecaf.study.status import STATUS_COPY, STATUS_FEW

MAPS = 8
"""Maps of membership or class activation that are shown of a method."""

FEW_CLASSES = 3
"""Classes up to which all neurons of Figure 5 are shown."""

PARTS = {"cv": ("cross_validation", "Cross-validation"), "test": ("test", "Test")}


def classification(study, name, album, patches) -> dict:
    """Gather a method's results.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    name : str
        Of the method.
    album, patches : slidecaf.report.pictures.Album
        For pictures of slides, and for those of patches.

    Returns
    -------
    dict
        What the template ``classification.html`` shows.
    """
    layout, settings = study.layout, study.methods("classification")[name]
    scores = read_json(layout.scores.format(method=name))
    listed = read_tsv(layout.predictions.format(method=name))
    rows = [row for row in listed if row["status"] not in (STATUS_COPY, STATUS_FEW)]
    parts = [f"fold-{fold}" for fold in sorted({int(row["fold"]) for row in rows if row["fold"]})]
    choices = {part: read_json(layout.choice.format(method=name, part=part)) for part in [*parts, "final"]}
    chosen = choices["final"]["chosen"].get("features")  # of a network those of whose patches it sees the pixels
    features = split_output(chosen)[0] if chosen else next(iter(patch_sets(settings)), "")
    whole = not features or study.is_whole(features)
    # before the slides, which may fill the page
    maps, worst = membership_maps(layout, name, album) if settings.maps else None, _worst_first(rows, scores["classes"])
    trained = settings.about.reads == "images"
    of_classes = every_class(study, name, worst, album) if trained and settings.maps else []
    boxes = missed(study, name, worst, album) if getattr(settings, "stages", 1) == 2 else []
    explained = name in study.config.explained
    why = explanations(study, name, album, patches) if explained else None
    surest = gallery(study, rows, scores["classes"], album) if whole else []
    slides = [_slide(study, features, row, scores["classes"]) for row in worst]
    for slide in slides[:LISTED] if not whole or len(slides) <= LISTED else ():
        slide["picture"] = album.put(_picture(study, features, slide["slide"], album.side))
    patients = _patients(rows)
    return {
        "name": name,
        "scores": scores,
        "parts": [(title, scores[part]) for part, title in PARTS.values() if scores[part]],
        "choices": choices,
        "chosen_by": getattr(settings, "choose_by", "accuracy"),
        "several_slides": len({row["patient"] for row in rows}) < len(rows),
        "charts": _charts(rows, scores) + _curves(layout, name, choices, settings),
        "patients": patients[:LISTED],
        "all_patients": len(patients),
        "slides": slides[:LISTED],
        "all_slides": len(slides),
        "odd": [(slide["slide"], warning) for slide in slides for warning in slide["warnings"]],
        "gallery": surest,
        "features": features,
        "whole": whole,
        "trained": trained,
        "every_class": of_classes,
        "boxes": boxes,
        "stages": getattr(settings, "stages", 1),
        "maps": maps,
        "why": why,
        "neurons": _neurons(layout, name, scores["classes"], patches) if "neurons" in settings.about.shows else None,
        "warnings": _warnings(choices)
        + _copies(scores["copies"])
        + _rare(scores["rare_classes"], scores["item_name"])
        + (study.resolution_warning(features, [row["slide"] for row in rows]) if features else []),
    }


def classification_tables(methods, notes) -> list:
    """Lay the paper's Tables 1 and 2 beside a study's methods.

    Parameters
    ----------
    methods : list of dict
        From `classification`.
    notes : dict of str to str
        Method to what has to be said beside it.

    Returns
    -------
    list of dict
        A table each: title, said (a sentence below it), and rows with name, note, value, low, high, n, kind (``study``,
        ``ours`` for the paper's own method, or ``other``), the best first.
    """
    tables = []
    for title, part, entries in (
        ("Table 1: the challenge's 40 test slides", "test", CHALLENGE_CLASSIFICATION),
        (
            "Table 2: 3-fold cross-validation on the challenge's 45 training slides",
            "cross_validation",
            METHODS_CLASSIFICATION,
        ),
    ):
        rows = [
            _row(entry.name, entry.correct, entry.n, "ours" if entry.ours else "other", value=entry.value)
            for entry in entries
        ]
        for method in methods:
            if found := method["scores"][part]:
                row = _row(f"this study, {method['name']}", found["correct"], found["n"], "study")
                rows.append(row | {"note": notes[method["name"]]})
        tables.append({"title": title, "said": "", "rows": sorted(rows, key=lambda row: -row["value"])})
    return tables


def xray_tables(methods, notes) -> list:
    """Lay the published accuracies of 24 classes of X-rays beside a study's methods; as `classification_tables`."""
    rows = [_row(entry.name, None, None, "ours" if entry.ours else "other", value=entry.value) for entry in ANATOMY]
    for method in methods:
        found = method["scores"]["test"] or method["scores"]["cross_validation"]
        row = _row(f"this study, {method['name']}", found["correct"], found["n"], "study")
        rows.append(row | {"note": notes[method["name"]]})
    said = (
        "Published: a tenth of the 14,676 X-rays of ImageCLEF 2009 is the test. This study: its test images, or those "
        "left out where there are none."
    )
    title = "Whole images, 24 classes of X-rays (Menkovski et al. 2015, Table 1)"
    return [{"title": title, "said": said, "rows": sorted(rows, key=lambda row: -row["value"])}]


def _row(name, correct, n, kind, value=None):
    low, high = exact_interval(correct, n) if n else (None, None)
    value = correct / n if value is None else value
    known = {"name": name, "value": value, "low": low, "high": high, "n": n, "correct": correct}
    return {**known, "kind": kind, "note": ""}


def _confidence(row):
    return float(row["confidence"]) if row.get("confidence") else float("nan")


def _worst_first(rows, classes):
    """Sort slides so that those come first whose prediction is most wrong; without a label last."""
    told = sureness_of(rows, classes)

    def key(row):
        if not row["label"]:
            return 2, 0.0, row["slide"]
        wrong = row["predicted"] != row["label"]
        sure = told.get(row["slide"], 0.0)
        return (0, -sure, row["slide"]) if wrong else (1, sure, row["slide"])

    return sorted(rows, key=key)


def _slide(study, features, row, classes):
    """Describe one slide, as yet without its picture."""
    patches = int(row["patches"]) if row["patches"] else 0
    warnings = study.slide_warnings(features, row["slide"], patches=patches) if features else []
    if row["status"] != "ok" and row["status"] not in warnings:
        warnings.append(row["status"])
    if len(classes) == 2:
        confidence = _confidence(row)
    else:
        confidence = max((float(row[f"confidence_{label}"] or "nan") for label in classes), default=float("nan"))
    return {
        **row,
        "part": PARTS[row["split"]][1],
        "right": row["predicted"] == row["label"] if row["label"] else None,
        "confidence": None if np.isnan(confidence) else confidence,
        "picture": None,
        "warnings": warnings,
    }


def _picture(study, features, slide, side):
    """Draw a slide, with its patches where it has some."""
    picture = open_picture(study.thumbnail(slide), side)
    coords, attributes = ((), {}) if not features or study.is_whole(features) else study.tiles(features, slide)
    if "level0_width" not in attributes:
        return picture
    picture, tissue = shrunk(picture, side), study.tissue(features, slide)
    return outline_tiles(
        picture if tissue is None else veil(picture, tissue),
        coords,
        int(attributes["patch_size_level0"]),
        int(attributes["level0_width"]),
        int(attributes["level0_height"]),
    )


def _patients(rows):
    """Count the right slides of each patient, the patients with the largest share of wrong ones first."""
    found = {}
    for row in rows:
        if row["label"]:
            found.setdefault((row["patient"], row["split"]), []).append(row)
    patients = [
        {
            "patient": patient,
            "part": PARTS[split][1],
            "labels": ", ".join(sorted({row["label"] for row in own})),
            "n": len(own),
            "correct": sum(row["predicted"] == row["label"] for row in own),
        }
        for (patient, split), own in found.items()
    ]
    return sorted(patients, key=lambda row: (row["correct"] / row["n"], -row["n"], row["patient"]))


def _charts(rows, scores):
    """Draw ROC curves and confidences, of two classes; and of any how far probabilities can be trusted."""
    classes, labelled, item = scores["classes"], [row for row in rows if row["label"]], scores["item_name"]
    drawn = [*_roc(labelled, scores), *_confidences(labelled, classes, item)] if len(classes) == 2 else []
    return [*drawn, *_reliability(labelled, classes, item)]


def _roc(rows, scores):
    classes, item, curves = scores["classes"], scores["item_name"], []
    for split, (part, title) in PARTS.items():
        own = [row for row in rows if row["split"] == split]
        if scores[part] and scores[part]["auc"] is not None:
            if split == "cv":
                curves += [("single folds", *_arrays(group, classes), False) for group in _by_fold(own, classes)]
            curves.append((f"{title.lower()}, AUC {scores[part]['auc']:.3f}", *_arrays(own, classes), True))
    said = (
        f"How many {classes[1]} {item}s are found, against how many {classes[0]} {item}s are taken for {classes[1]}, "
        "at every threshold on the confidence. The dotted line is guessing."
    )
    return [{"title": "ROC", "uri": charts.roc_chart(curves), "said": said}] if curves else []


def _confidences(rows, classes, item):
    own = [row for row in rows if row["split"] == "cv" and row["predicted"]]
    said = (
        f"Left-out {item}s in groups by confidence: how many of a group are {classes[1]}, with the exact 95 % "
        f"interval. Good confidences rise from left to right. Small dots are single {item}s."
    )
    chart = {"title": "Confidence", "said": said}
    return [{**chart, "uri": charts.calibration_chart(*_arrays(own, classes), classes)}] if own else []


def _reliability(rows, classes, item):
    parts = {}
    for split, (_, title) in PARTS.items():
        own = [row for row in rows if row["split"] == split and row["predicted"]]
        if len(classes) == 2:
            told = [(row["probability"], row["label"] == classes[1]) for row in own]
        else:
            told = [(row[f"probability_{row['predicted']}"], row["predicted"] == row["label"]) for row in own]
        if known := [(float(value), right) for value, right in told if value]:
            parts[title.lower()] = tuple(map(np.array, zip(*known, strict=True)))
    if not parts:
        return []
    what = classes[1] if len(classes) == 2 else "what is predicted"
    said = (
        f"{item.capitalize()}s in groups by probability, against how many of a group it is true of, with the exact "
        "95 % interval; the dotted line is a perfect probability. Platt scaling, fitted inside the training rows."
    )
    uri = charts.reliability_chart(parts, f"probability of {what}", "share of which that is true")
    return [{"title": "Reliability", "uri": uri, "said": said}]


def _curves(layout, name, choices, settings):
    """Draw loss and accuracy by epoch of a method that trains a network, for each part the learning rate chosen."""
    if settings.about.reads != "images":
        return []
    said = (
        "By epoch, a line a model: solid on the images that it does not learn from, which choose the "
        "epoch (the dot), and pale on those that it learns from, as they are changed for each epoch."
    )
    drawn = []
    for stage in range(1, settings.stages + 1):
        curves, at = {}, "stage_2_" if stage == 2 else ""
        title = "Training" if settings.stages == 1 else f"Training, stage {stage}"
        for part, choice in choices.items():
            rows, chosen = read_tsv(layout.curves.format(method=name, part=part)), choice["chosen"]
            rows = [row for row in rows if int(row.get("stage", 1)) == stage]
            own = [row for row in rows if float(row["learning_rate"]) == chosen[f"{at}learning_rate"]]
            curves[part] = own, chosen[f"{at}epoch"]
        drawn += [
            {"title": f"{title}, {key}", "uri": charts.training_chart(curves, key), "said": said}
            for key in ("loss", "accuracy")
        ]
    return drawn


def _arrays(rows, classes):
    return np.array([row["label"] == classes[1] for row in rows]), np.array([_confidence(row) for row in rows])


def _by_fold(rows, classes):
    """Return the rows of each fold that has slides of both classes."""
    folds = sorted({row["fold"] for row in rows})
    groups = [[row for row in rows if row["fold"] == fold] for fold in folds]
    return [group for group in groups if {row["label"] for row in group} == set(classes)]


def shown_neurons(classes: int) -> int:
    """Return how many neurons of a class the page shows: fewer where classes are many."""
    return NEURONS if classes <= FEW_CLASSES else 2


def _neurons(layout, name, classes, album):
    """Return Figure 5, each patch as a picture of its own."""
    figure = read_figure(layout.neurons_figure.format(method=name), read_tsv(layout.neurons_table.format(method=name)))
    of_class = ([row for row in figure if row["class"] == label] for label in classes)
    shown = [row for rows in of_class for row in rows[: shown_neurons(len(classes))]]
    for row in shown:
        for patch in row["patches"]:
            patch["picture"] = album.put(patch["picture"])
    return shown


def _rare(classes, item):
    listed = ", ".join(f"{label} ({count})" for label, count in classes.items())
    return [f"Classes left out for having too few {item}s, and counted nowhere: {listed}."] if classes else []


def membership_maps(layout, name, album) -> dict:
    """Gather some maps of membership or class activation, and how they agree with masks.

    Parameters
    ----------
    layout : slidecaf.study.layout.Layout
    name : str
        Of the method.
    album : slidecaf.report.pictures.Album

    Returns
    -------
    dict
        ``auc``, the mean over the ``n`` slides with a mask, None where there is none; and ``slides``, each with slide,
        picture, auc and foreground, evenly spread by the first of these that all have.
    """
    rows = read_tsv(layout.map_scores.format(method=name))
    known = [float(row["auc"]) for row in rows if row["auc"]]
    shown = [row for row in rows if row["auc"]] or [row for row in rows if row["foreground"]]
    key = "auc" if known else "foreground"
    shown.sort(key=lambda row: (-float(row[key]), row["slide"]))
    places = sorted({round(i) for i in np.linspace(0, len(shown) - 1, min(MAPS, len(shown)))})
    slides = []
    for row in (shown[place] for place in places):
        with Image.open(layout.class_maps.format(method=name, slide=row["slide"])) as drawn:
            attends = "attention" in drawn.text
            picture = album.put(drawn.convert("RGB"), abreast=4 if attends else 3)
        numbers = {key: float(row[key]) if row[key] else None for key in ("auc", "foreground")}
        slides.append({"slide": row["slide"], "picture": picture, "attends": attends, **numbers})
    covered = [float(row["covered"]) for row in rows if row.get("covered")]
    return {
        "auc": float(np.mean(known)) if known else None,
        "n": len(known),
        "slides": slides,
        "kind": next((row["kind"] for row in rows if row.get("kind")), None),
        "covered": float(np.mean(covered)) if covered else None,
    }


def _copies(copies):
    listed = shortened([f"{slide} of {other}" for slide, other in copies.items()])
    return [f"Left out as copies, and counted nowhere: {listed}."] if copies else []


def _warnings(choices):
    said = [
        f"{part}: a candidate was dropped ({', '.join(f'{key} {value}' for key, value in dropped.items())})."
        for part, choice in choices.items()
        for dropped in choice["dropped"]
    ]
    left_out = sorted({slide for choice in choices.values() for slide in choice["left_out"]})
    if left_out:
        said.append(f"Left out of training, since they have no patch: {shortened(left_out)}.")
    return said
