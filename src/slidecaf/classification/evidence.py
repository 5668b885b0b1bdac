"""Why some slides are called what they are: the patches that speak most for and against, drawn and listed.

The slides are those to look at first: the wrong ones of which a method is surest, and the surest right ones. Each was
decided on by a model that never saw it.
"""

import numpy as np

from slidecaf.classification.figure import PATCHES, draw_rows, open_figure, patch_box
from slidecaf.classification.heatmap import read_heatmap
from slidecaf.classification.neurons import read_patch
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_tsv, write_tsv
from slidecaf.logs import logger
from slidecaf.scores.classification import sureness
from slidecaf.slides import LIMITS, open_slide
from slidecaf.study.names import confidence_columns

WRONG, RIGHT = 3, 4
"""Slides of each kind that are shown of a method, at most."""

SIDES = ("for", "against")
"""Halves of a row: patches that speak for the class, and those that speak against it."""

EACH = PATCHES // 2
"""Patches of a side, at most."""

COLUMNS = ("slide", "label", "predicted", "class", "side", "place", "x", "y", "patch_size", "patch_confidence")


def slides_to_explain(rows, classes) -> list[dict]:
    """Choose the slides whose decisions are worth a look.

    Parameters
    ----------
    rows : sequence of mapping
        Of ``predictions.tsv``.
    classes : sequence of str

    Returns
    -------
    list of dict
        Rows: first the wrong ones, `WRONG` at most, and then the right ones, `RIGHT` at most, class by class in turn.
        The surest come first, ties by slide. Only slides that have a label and a prediction.

    Examples
    --------
    >>> row = lambda slide, label, predicted, confidence: {
    ...     "slide": slide, "label": label, "predicted": predicted, "confidence": confidence
    ... }
    >>> rows = [row("a", "LGG", "GBM", "0.1"), row("b", "GBM", "GBM", "2"), row("c", "GBM", "GBM", "1")]
    >>> rows += [row("d", "LGG", "LGG", "-0.5"), row("e", "LGG", "GBM", "3")]
    >>> [row["slide"] for row in slides_to_explain(rows, ["LGG", "GBM"])]
    ['e', 'a', 'b', 'd', 'c']
    """
    judged = [row for row in rows if row["label"] and row["predicted"]]
    if not judged:
        return []
    values = np.array([[float(row[column]) for column in confidence_columns(classes)] for row in judged])
    predicted = [list(classes).index(row["predicted"]) for row in judged]
    sure = sureness(values[:, 0] if len(classes) == 2 else values, predicted)
    order = sorted(range(len(judged)), key=lambda i: (-sure[i], judged[i]["slide"]))
    surest = [judged[i] for i in order]
    right = [[row for row in surest if row["predicted"] == row["label"] == label] for label in classes]
    # the first of each class, the surest of them first, then the second of each
    turns = sorted((turn, surest.index(row)) for own in right for turn, row in enumerate(own))
    wrong = [row for row in surest if row["predicted"] != row["label"]]
    return [*wrong[:WRONG], *(surest[place] for _, place in turns[:RIGHT])]


def write_evidence(figure, table, *, predictions, heatmaps, classes, slides, limits=LIMITS, caveats=()) -> None:
    """Draw the patches that speak most for and against some slides' diagnoses, and list them.

    Parameters
    ----------
    figure, table : path-like
        The figure as PNG, a row a slide, and its table with `COLUMNS`.
    predictions : path-like
        ``predictions.tsv``.
    heatmaps : mapping of str to path-like
        Slide to its heat map, of all slides.
    classes : sequence of str
    slides : mapping of str to mapping
        Slide to its ``path`` and ``scene``.
    limits : slidecaf.slides.Limits, optional
    caveats : sequence of str, optional
        Lines below the figure.

    Raises
    ------
    SlidecafError
        If a slide or a file cannot be read.
    """
    rows, drawn = [], []
    for chosen in slides_to_explain(read_tsv(predictions), classes):
        name, heat = chosen["slide"], read_heatmap(heatmaps[chosen["slide"]])
        own, places = _patches(chosen, heat), [(None, "")] * PATCHES
        with open_slide(slides[name]["path"], name=name, scene=slides[name]["scene"], limits=limits) as slide:
            for row in own:
                picture = read_patch(slide, row["x"], row["y"], row["patch_size"])
                places[_column(row)] = picture, f"{row['patch_confidence']:+.3g}"
        lines = [name, f"truth {chosen['label']}", f"predicted {chosen['predicted']}"]
        rows += own
        drawn.append(([*lines, f"for {heat.attributes['speaks_for']}"], places))
    logger.info("%d patches of %d slides", len(rows), len(drawn))
    write_tsv(table, COLUMNS, rows)
    notes = [f"Left the {EACH} patches that speak most for the class, right most against it; below their confidence."]
    with atomic(figure) as partial:
        draw_rows(drawn, notes=[*notes, *caveats]).save(partial, "PNG", optimize=True)


def _patches(chosen, heat):
    """Return the table's rows of a slide."""
    known = {key: chosen[key] for key in ("slide", "label", "predicted")}
    return [
        {
            **known,
            **{"class": heat.attributes["speaks_for"], "side": side, "place": place},
            **{"x": int(heat.coords[patch, 0]), "y": int(heat.coords[patch, 1]), "patch_size": heat.size},
            "patch_confidence": float(heat.patch_confidence[patch]),
        }
        for side in SIDES
        for place, patch in enumerate(heat.speaking(EACH, against=side == "against"))
    ]


def _column(row):
    """Return where in its row of the figure a patch stands."""
    return EACH * SIDES.index(row["side"]) + int(row["place"])


def read_evidence(figure, table) -> dict[str, list[dict]]:
    """Read the figure back.

    Parameters
    ----------
    figure : path-like
    table : path-like

    Returns
    -------
    dict of str to list of dict
        Slide to the table's rows, each with ``picture`` (PIL.Image.Image), in the order of the figure.
    """
    picture, found = open_figure(figure), {}
    for row in read_tsv(table):
        own = found.setdefault(row["slide"], [])
        box = patch_box(list(found).index(row["slide"]), _column(row))
        row = {**row, "patch_confidence": float(row["patch_confidence"]), "picture": picture.crop(box)}
        own.append(row)
    return found
