"""What the report shows of networks trained here: maps of every class, boxes that miss, and trainings side by side."""

import numpy as np

from slidecaf.classification.class_maps import laid_over, outline, over_image, read_maps, side_by_side
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.report import charts
from slidecaf.report.pictures import open_picture
from slidecaf.study.names import confidence_columns

IMAGES = 4
"""Images whose maps of every class are shown."""

CLASSES = 6
"""Classes of an image whose maps are shown: those that the network takes to be likeliest."""

BOXES = 8
"""Images that are shown with what the second stage sees of them."""


def every_class(study, name, rows, album) -> list[dict]:
    """Lay the maps of all classes over some images: of each of the first classes the one that is most wrong.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    name : str
        Of the method.
    rows : sequence of mapping
        Of ``predictions.tsv``, the most wrong first.
    album : slidecaf.report.pictures.Album

    Returns
    -------
    list of dict
        slide, label, predicted, picture, ``classes`` in the order of their maps, and ``largest``, the value at which
        colours end.
    """
    shown, labels = [], sorted({row["label"] for row in rows if row["label"]})
    for label in labels[:IMAGES]:
        own = [row for row in rows if row["label"] == label and row["predicted"]]
        if own and (said := read_maps(study.layout.class_maps.format(method=name, slide=own[0]["slide"]))):
            shown.append(_classes_of(study, own[0], said, album))
    return shown


def _classes_of(study, row, said, album):
    picture = open_picture(study.thumbnail(row["slide"]), album.side)
    picture.thumbnail((album.side, album.side))
    pixels = np.asarray(picture.convert("RGB"))
    how = {key: said[key] for key in ("side", "border", "size", "fit")}
    values = over_image(said["maps"], **how, shape=pixels.shape[:2])
    order = np.arange(len(values))
    if len(values) > CLASSES:
        columns = confidence_columns(said["classes"])
        order = np.argsort([-float(row[column]) for column in columns], kind="stable")[:CLASSES]
    largest = float(values[order].max())
    drawn = side_by_side([pixels, *(laid_over(pixels, one, max(largest, 0) / 2) for one in values[order])])
    return {
        "slide": row["slide"],
        "label": row["label"],
        "predicted": row["predicted"],
        "picture": album.put(drawn, abreast=1 + len(order)),
        "classes": [said["classes"][k] for k in order],
        "largest": largest,
    }


def missed(study, name, rows, album) -> list[dict]:
    """Show images of which the second stage sees too little: those whose lesion lies least in it, or the most wrong.

    Parameters
    ----------
    study, name, rows, album
        As for `every_class`.

    Returns
    -------
    list of dict
        slide, label, predicted, picture, and ``covered``, the share of the mask that it sees, None without masks.
    """
    known = {row["slide"]: row for row in read_tsv(study.layout.map_scores.format(method=name))}
    covered = {slide: float(row["covered"]) for slide, row in known.items() if row.get("covered")}
    listed = [row for row in rows if not covered or row["slide"] in covered]
    if covered:
        listed = [row for row in listed if covered[row["slide"]] < 1] or listed
        listed.sort(key=lambda row: (covered[row["slide"]], row["slide"]))
    shown = []
    for row in listed[:BOXES]:
        said = read_maps(study.layout.class_maps.format(method=name, slide=row["slide"]))
        if said:
            picture = open_picture(study.thumbnail(row["slide"]), album.side).convert("RGB")
            picture.thumbnail((album.side, album.side))
            outline(picture, said["box"], said["size"], 0, picture.size[::-1])
            kept = {key: row[key] for key in ("slide", "label", "predicted")}
            shown.append({**kept, "picture": album.put(picture), "covered": covered.get(row["slide"])})
    return shown


def trainings(study) -> list[dict]:
    """Draw the training of the final networks of all methods that train one, side by side.

    Parameters
    ----------
    study : slidecaf.report.results.Results

    Returns
    -------
    list of dict
        Charts; none where fewer than two methods train a network.
    """
    curves = {}
    for name, settings in study.methods("classification").items():
        if settings.about.reads != "images":
            continue
        where = {"method": name, "part": "final"}
        chosen = read_json(study.layout.choice.format(**where))["chosen"]
        rows = read_tsv(study.layout.curves.format(**where))
        own = [row for row in rows if float(row["learning_rate"]) == chosen["learning_rate"]]
        curves[name] = [row for row in own if row.get("stage", "1") == "1"], chosen["epoch"]
    said = (
        "The networks of all training rows, a line a method, as below; of two stages the first one. Methods may have "
        "other epochs, and other images held back."
    )
    return [
        {"title": f"Trainings side by side, {key}", "uri": charts.training_chart(curves, key), "said": said}
        for key in (("loss", "accuracy") if len(curves) > 1 else ())
    ]
