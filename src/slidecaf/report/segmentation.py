"""What the report says of a segmentation method."""

import numpy as np

from slidecaf.files.tables import read_json, read_tsv
from slidecaf.report import charts
from slidecaf.report.paper import CHALLENGE_SEGMENTATION, FIGURE_SEGMENTATION, METHODS_SEGMENTATION
from slidecaf.report.pictures import mark_points, open_picture, shrunk, without_legend
from slidecaf.report.results import mixed_resolutions, warnings_of
from slidecaf.study.caveats import note_of
from slidecaf.study.kinds import told_apart

PARTS = {"train": "leave_one_out", "test": "test"}
IN_FIGURE = 8
"""Slides on which the maps of several methods are laid side by side."""

SHOWN_HARD = 24
"""Slides whose hard examples are drawn: those that hold most."""


def segmentation(study, name, album) -> dict:
    """Gather a method's results.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    name : str
        Of the method.
    album : slidecaf.report.pictures.Album

    Returns
    -------
    dict
        What the template ``segmentation.html`` shows.
    """
    layout, settings = study.layout, study.methods("segmentation")[name]
    features, retrained = settings.features, bool(settings.hard_examples)
    scores = read_json(layout.segmentation_scores.format(method=name))
    rows = read_tsv(layout.slide_scores.format(method=name))
    groups = {int(row["fold"]) for row in read_tsv(layout.groups.format(method=name))}
    parts, last = [*(f"fold-{group}" for group in sorted(groups)), "final"], list(scores)[-1]
    titles = {"leave_one_out": f"{scores[last]['group_name'].capitalize()}s left out", "test": "Test"}
    comparison = read_json(layout.variants.format(method=name)) if retrained else None
    slides = [_slide(study, name, own, last, album) for own in _worst_first(rows, last)]
    return {
        "name": name,
        "features": features,
        "told_by": list(told_apart(settings)),
        "variants": list(scores),
        "last": last,
        "scores": scores,
        "caveats": scores[last]["caveats"],
        "group_name": scores[last]["group_name"],
        "table": [
            {"variant": variant, "part": titles[part], **of[part]}
            for part in titles
            for variant, of in scores.items()
            if of[part]
        ],
        "notes": _unique(
            f"{titles[part]}: {note}"
            for of in scores.values()
            for part in titles
            if of[part]
            for note in of[part]["notes"]
        ),
        "choices": [
            {"variant": variant, "part": part}
            | read_json(layout.map_choice.format(method=name, variant=variant, part=part))
            for variant in scores
            for part in parts
        ],
        "comparisons": [(titles[part], comparison[part]) for part in titles if comparison and comparison[part]],
        "charts": _charts(layout, name, scores, rows),
        "slides": slides,
        "hard": _hard(study, name, features, album) if retrained else None,
        "warnings": _resolutions(study, name, [row["slide"] for row in rows if row["variant"] == last]),
    }


def segmentation_tables(methods, notes) -> list:
    """Lay the paper's Table 3 and its own comparison beside a study's methods.

    Parameters
    ----------
    methods : list of dict
        From `segmentation`.
    notes : dict of str to str
        Method to what has to be said beside it.

    Returns
    -------
    list of dict
        A table each: title, said (a sentence below it), and rows with name, note, value, low, high, n, kind, the best
        first.
    """
    tables = []
    for title, part, entries in (
        ("Table 3: the challenge's 21 test slides", "test", CHALLENGE_SEGMENTATION),
        ("Section 5.4: methods compared by the authors", "leave_one_out", METHODS_SEGMENTATION),
    ):
        unknown = dict.fromkeys(("low", "high", "n"))
        rows = [
            {"name": entry.name, "value": entry.value, "kind": "ours" if entry.ours else "other", "note": "", **unknown}
            for entry in entries
        ]
        for method in methods:
            for variant, of in method["scores"].items():
                if found := of[part]:
                    low, high = found["score_ci95"] or (None, None)
                    known = {"value": found["score"], "low": low, "high": high, "n": found["n"]}
                    known |= {"kind": "study", "note": notes[method["name"]]}
                    rows.append({"name": f"this study, {method['name']}, {variant}", **known})
        said = FIGURE_SEGMENTATION if part == "leave_one_out" else ""
        tables.append({"title": title, "said": said, "rows": sorted(rows, key=lambda row: -row["value"])})
    return tables


def figure6(study, album) -> dict | None:
    """Lay the left-out maps of all methods side by side on the same slides, as the paper's Figure 6.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    album : slidecaf.report.pictures.Album

    Returns
    -------
    dict or None
        columns (name and note of each method), slides (how many there are), and rows: slide, plain, and maps with
        picture and score, a method each. From the worst to the best slide of the first method, at most `IN_FIGURE`
        evenly spread. None where there is one method only, whose gallery shows as much.
    """
    methods = study.methods("segmentation")
    if len(methods) < 2:
        return None
    last = {name: list(read_json(study.layout.segmentation_scores.format(method=name)))[-1] for name in methods}
    scores = {name: _left_out(study, name, variant) for name, variant in last.items()}
    ranked = sorted(scores[next(iter(methods))].items(), key=lambda item: (item[1], item[0]))
    places = np.unique(np.linspace(0, len(ranked) - 1, min(IN_FIGURE, len(ranked))).round().astype(int))
    rows = []
    for slide in [ranked[place][0] for place in places]:
        maps = [
            {"picture": album.put(_map(study, name, variant, slide, album)), "score": scores[name].get(slide)}
            for name, variant in last.items()
        ]
        plain = album.put(open_picture(study.thumbnail(slide), album.side))
        rows.append({"slide": slide, "plain": plain, "maps": maps})
    columns = [{"name": f"{name}, {variant}", "note": note_of(methods[name].kind)} for name, variant in last.items()]
    return {"columns": columns, "slides": len(ranked), "rows": rows}


def _left_out(study, name, variant):
    """Return the scores of the left-out slides."""
    rows = read_tsv(study.layout.slide_scores.format(method=name))
    return {row["slide"]: float(row["score"]) for row in rows if _is(row, variant, "train")}


def _map(study, name, variant, slide, album):
    """Return the overlay of a slide, its legend cut off where the slide's size is known."""
    overlay = open_picture(study.layout.overlay.format(method=name, variant=variant, slide=slide), album.side)
    _, attributes = study.cells(name, slide)
    if "level0_width" in attributes:
        overlay = without_legend(overlay, int(attributes["level0_width"]), int(attributes["level0_height"]))
    return shrunk(overlay, album.side)


def _unique(texts):
    return list(dict.fromkeys(texts))


def _number(text):
    return float(text) if text else None


def _worst_first(rows, last):
    """Return each slide's rows by variant, the lowest score of the last variant first, without a score last."""
    by_slide = {}
    for row in rows:
        by_slide.setdefault(row["slide"], {})[row["variant"]] = row
    return sorted(
        by_slide.values(),
        key=lambda own: (own[last]["score"] == "", _number(own[last]["score"]) or 0.0, own[last]["slide"]),
    )


def _resolutions(study, name, slides):
    """Say where resolutions are mixed: of the feature set, or of the method where it has none."""
    if features := study.methods("segmentation")[name].features:
        return study.resolution_warning(features, slides)
    said = "are taken at level 0, so that sizes in px stand for more tissue on some than on others."
    return mixed_resolutions(name, [study.cells(name, slide)[1] for slide in slides], said=said)


def _slide(study, name, own, last, album):
    """Describe one slide, with its pictures."""
    row = own[last]
    slide = row["slide"]
    area = float(row["area"])
    return {
        **{key: row[key] for key in ("slide", "patient", "status")},
        "part": "Left out" if row["split"] == "train" else "Test",
        "scores": {variant: _number(found["score"]) for variant, found in own.items()},
        **{key: _number(row[key]) for key in ("score", "precision", "recall")},
        "predicted_share": float(row["predicted_pixels"]) / area,
        "true_share": float(row["true_pixels"]) / area if row["true_pixels"] else None,
        "plain": album.put(open_picture(study.thumbnail(slide), album.side)),
        "picture": album.put(_map(study, name, last, slide, album)),
        "warnings": warnings_of(*study.cells(name, slide)) + _empty(row),
    }


def _empty(row):
    return ["no true pixel: S is 0 or 1"] if row["true_pixels"] == "0" else []


def _hard(study, name, features, album):
    """Return how many hard examples lie where, and the slides that hold most as pictures."""
    by_slide = {}
    for row in read_tsv(study.layout.hard_examples.format(method=name)):
        by_slide.setdefault(row["slide"], []).append(row)
    slides = []
    for slide, rows in sorted(by_slide.items(), key=lambda item: (-len(item[1]), item[0])):
        _, attributes = study.tiles(features, slide)
        size = [int(attributes[key]) for key in ("level0_width", "level0_height")]
        half = int(attributes["patch_size_level0"]) / 2
        picture = None
        if len(slides) < SHOWN_HARD:
            points = [(int(row["x"]) + half, int(row["y"]) + half, row["kind"]) for row in rows]
            thumbnail = shrunk(open_picture(study.thumbnail(slide), album.side), album.side)
            picture = album.put(mark_points(thumbnail, points, *size))
        kinds = {kind: sum(row["kind"] == kind for row in rows) for kind in ("missed", "false")}
        slides.append({"slide": slide, "n": len(rows), **kinds, "picture": picture})
    return {
        "slides": slides,
        **{key: sum(slide[key] for slide in slides) for key in ("n", "missed", "false")},
        **{"most": max((slide["n"] for slide in slides), default=0)},
    }


def _charts(layout, name, scores, rows):
    """Draw the distribution of scores, the threshold curve and the variants against each other."""
    drawn = []
    for split in PARTS:
        of = {
            variant: {row["slide"]: float(row["score"]) for row in rows if _is(row, variant, split)}
            for variant in scores
        }
        if not all(of.values()):
            continue
        said = "left-out slides" if split == "train" else "test slides"
        drawn.append(
            {
                "title": f"Scores of {said}",
                "uri": charts.score_chart({variant: list(values.values()) for variant, values in of.items()}),
                "said": "How many slides score how much: 1 is a perfect map, 0 one that hits nothing.",
            }
        )
        if len(of) > 1:
            slides = sorted(of["plain"])
            first, second = (np.array([of[variant][slide] for slide in slides]) for variant in ("plain", "hard"))
            drawn.append(
                {
                    "title": f"Plain against hard, {said}",
                    "uri": charts.paired_chart(first, second, ("plain", "hard (retrained)")),
                    "said": "One dot a slide; above the dotted line retraining with hard examples helped it.",
                }
            )
    curves = []
    for variant in scores:
        of = {"method": name, "variant": variant}
        curve = read_tsv(layout.thresholds.format(**of))
        chosen = read_json(layout.map_choice.format(**of, part="final"))["chosen"]["threshold"]
        thresholds, values = (np.array([float(row[key]) for row in curve]) for key in ("threshold", "score"))
        curves.append((variant, thresholds, values, chosen))
    drawn.append(
        {
            "title": "Threshold",
            "uri": charts.threshold_chart(curves),
            "said": "The mean score of the left-out maps at other thresholds. The dot is the threshold of the final "
            "model, which was chosen on these maps: its height is no estimate for new slides. A flat top says that the "
            "exact threshold matters little.",
        }
    )
    return drawn


def _is(row, variant, split):
    return (row["variant"], row["split"]) == (variant, split) and row["score"] != ""
