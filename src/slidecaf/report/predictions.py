"""The page of a study that learns nothing: what the model is, and what it says of each slide."""

from pathlib import Path

from slidecaf.files.tables import read_json, read_tsv
from slidecaf.report.pictures import SLIDES_BYTES, Album, open_picture
from slidecaf.study.caveats import MEANINGLESS
from slidecaf.study.model import read_model
from slidecaf.study.names import confidence_columns
from slidecaf.study.status import STATUS_OK

LISTED = 1000
"""Slides that the page shows at most; the tables have all."""


def predictions_context(study) -> dict:
    """Gather what the page shows.

    Parameters
    ----------
    study : slidecaf.report.results.Results
        Of a study whose config names a model.

    Returns
    -------
    dict
        ``title``, ``model`` (what it says of itself), ``caveats``, ``meaningless``, ``classified`` and ``segmented``:
        None where the model has no such task, and otherwise what it knows of its own scores, and a row a slide.
    """
    stated = read_model(study.config.model).stated
    classified, segmented = _classified(study, stated), _segmented(study, stated)
    rows = [row for task in (classified, segmented) if task for row in task["rows"]]
    album = Album(len(rows), allowed=SLIDES_BYTES)
    for row in rows:
        path = Path(row.pop("path"))
        row["picture"] = album.put(open_picture(path, album.side)) if path.is_file() else None
    caveats = list(dict.fromkeys(one for task in (classified, segmented) if task for one in task["caveats"]))
    return {
        "title": study.config.title or "Predictions of a slidecaf model",
        "stated": stated,
        "caveats": caveats,
        "meaningless": any(caveat in MEANINGLESS for caveat in caveats),
        "classified": classified,
        "segmented": segmented,
        "listed": LISTED,
    }


def _classified(study, stated):
    """Return the diagnoses, the least sure first: these want a look."""
    if "classification" not in stated["tasks"]:
        return None
    own = stated["tasks"]["classification"]
    scores = read_json(study.layout.scores.format(method=own["method"]))
    table = read_tsv(study.layout.predictions.format(method=own["method"]))
    columns, told = confidence_columns(own["classes"]), confidence_columns(own["classes"], "probability")
    rows = []
    for row in table:
        at = _place(row["predicted"], own["classes"], columns)
        rows.append(
            {key: row[key] for key in ("slide", "label", "predicted", "patches", "status")}
            | {"confidence": _value(row, columns, at), "probability": _value(row, told, at)}
            | {"path": study.thumbnail(row["slide"])}
        )
    if len(columns) == 1:  # of the class that is predicted, as the probability of several is
        for row in rows:
            if row["probability"] is not None and row["predicted"] == own["classes"][0]:
                row["probability"] = 1 - row["probability"]
    counts = {name: sum(row["predicted"] == name for row in rows) for name in own["classes"]}
    rows.sort(key=lambda row: (row["status"] == STATUS_OK, row["probability"] or 0, row["slide"]))
    return (
        own
        | {
            "rows": rows[:LISTED],
            "all": len(rows),
            "counts": counts,
            "caveats": scores["caveats"],
            "test": scores["test"],
        }
        | {"undecided": sum(not row["predicted"] for row in rows)}
    )


def _place(predicted, classes, columns):
    return classes.index(predicted) if predicted and len(columns) > 1 else 0


def _value(row, columns, at):
    return float(row[columns[at]]) if row[columns[at]] else None


def _segmented(study, stated):
    """Return the maps of the last variant, the largest regions first."""
    if "segmentation" not in stated["tasks"]:
        return None
    own, layout = stated["tasks"]["segmentation"], study.layout
    variant = list(own["scores"])[-1]
    scores = read_json(layout.segmentation_scores.format(method=own["method"]))[variant]
    table = [row for row in read_tsv(layout.slide_scores.format(method=own["method"])) if row["variant"] == variant]
    rows = [
        {key: row[key] for key in ("slide", "status")}
        | {"share": int(row["predicted_pixels"]) / int(row["area"]) if row["status"] == STATUS_OK else None}
        | {"score": float(row["score"]) if row.get("score") else None}
        | {"path": layout.overlay.format(method=own["method"], variant=variant, slide=row["slide"])}
        for row in table
    ]
    rows.sort(key=lambda row: (row["share"] is not None, -(row["share"] or 0), row["slide"]))
    return own | {
        "rows": rows[:LISTED],
        "all": len(rows),
        "variant": variant,
        "caveats": scores["caveats"],
        "test": scores["test"],
    }
