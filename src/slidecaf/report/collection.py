"""What the report says of collections of images: the surest right and wrong ones, layers and encodings side by side.

A page on thousands of images stays small: what is listed one by one are the `LISTED` worst, and pictures are of a few
images a class.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from slidecaf.report.methods import network_name
from slidecaf.report.pictures import Album, open_picture
from slidecaf.scores.classification import sureness
from slidecaf.study.names import confidence_columns, split_output

LISTED = 200
"""Rows of slides, patients or files that the page lists one by one."""

SHOWN = 4
"""Images of a class in the gallery, of the right ones and of the wrong ones."""

ENCODINGS = {"fv": "FV", "ifv": "IFV", "ffv": "fFV", "vlad": "VLAD", "bow": "bag of words"}
"""Encodings of local descriptors as papers write them, in the order of their columns."""


NAMED = 12
"""Slides that a sentence names; of more it says how many there are."""


def shortened(names: Sequence[str]) -> str:
    """Name some of many.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str

    Examples
    --------
    >>> shortened(["a", "b"])
    'a, b'
    >>> shortened([str(i) for i in range(1, 16)])
    '1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more'
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def sureness_of(rows: Sequence[Mapping], classes: Sequence[str]) -> dict[str, float]:
    """Return how sure a method is of each slide that it predicts.

    Parameters
    ----------
    rows : sequence of mapping
        Of ``predictions.tsv``.
    classes : sequence of str

    Returns
    -------
    dict of str to float
        Slide to `slidecaf.scores.classification.sureness`; without those that have no prediction.

    Examples
    --------
    >>> sureness_of([{"slide": "s", "predicted": "a", "confidence": "-1.5"}], ["a", "b"])
    {'s': 1.5}
    """
    told = [row for row in rows if row["predicted"]]
    columns = confidence_columns(classes)
    values = np.array([[float(row[column]) for column in columns] for row in told]).reshape(len(told), len(columns))
    places = [list(classes).index(row["predicted"]) for row in told]
    sure = sureness(values[:, 0] if len(classes) == 2 else values, places)
    return dict(zip((row["slide"] for row in told), sure.tolist(), strict=True))


def gallery(study, rows: Iterable[Mapping], classes: Sequence[str], album: Album) -> list[dict]:
    """Gather the surest right and wrong images of each class.

    Parameters
    ----------
    study : slidecaf.report.results.Results
    rows : iterable of mapping
        Of ``predictions.tsv``.
    classes : sequence of str
    album : slidecaf.report.pictures.Album

    Returns
    -------
    list of dict
        A row a class: label, and ``right`` and ``wrong``, at most `SHOWN` each, the surest first; an image has slide,
        predicted, sureness and picture.
    """
    judged = [row for row in rows if row["label"] and row["predicted"]]
    sure = sureness_of(judged, classes)
    judged.sort(key=lambda row: (-sure[row["slide"]], row["slide"]))
    return [
        {
            "label": label,
            **{
                key: [
                    {
                        "slide": row["slide"],
                        "predicted": row["predicted"],
                        "sureness": sure[row["slide"]],
                        "picture": album.put(open_picture(study.thumbnail(row["slide"]), album.side)),
                    }
                    for row in own[:SHOWN]
                ]
                for key, own in (
                    ("right", [row for row in judged if row["label"] == label == row["predicted"]]),
                    ("wrong", [row for row in judged if row["label"] == label != row["predicted"]]),
                )
            },
        }
        for label in classes
    ]


def layer_grid(ablation: Mapping | None, feature_sets: Iterable[Mapping]) -> dict | None:
    """Lay what came of several layers, ways to pool their maps and scales out as a table.

    Parameters
    ----------
    ablation : mapping or None
        From `slidecaf.report.comparison.ablation`.
    feature_sets : iterable of mapping
        From `slidecaf.report.results.Results.feature_sets`.

    Returns
    -------
    dict or None
        ``scales``, px in ascending order; ``rows``, each with network, layer, pooling and ``cells``, one a scale: a row
        of the ablation or None; and ``best``, the largest score. None where fewer than two layers, poolings or scales
        of whole images were varied.
    """
    sets, found = {one["name"]: one for one in feature_sets}, {}
    for row in ablation["rows"] if ablation else ():
        of = sets.get(row["value"], {})
        if row["factor"] == "features" and "fit" in of and of.get("kind") == "network":
            place = network_name(of), _layer_name(of), of.get("map") or "average"
            found.setdefault(place, {})[of["input_size"]] = row
    if sum(map(len, found.values())) < 2:
        return None
    scales = sorted({scale for cells in found.values() for scale in cells})
    rows = [
        {"network": network, "layer": layer, "pooling": pooling, "cells": [cells.get(scale) for scale in scales]}
        for (network, layer, pooling), cells in found.items()
    ]
    best = max(row["score"] for cells in found.values() for row in cells.values())
    return {"scales": scales, "rows": rows, "best": best}


def _layer_name(of):
    return f"{of['layer']}, {of['dimension']:,} values"


def encodings_table(methods: Iterable[Mapping], feature_sets: Iterable[Mapping]) -> list[dict]:
    """Lay Fisher vectors and other encodings of the same descriptors out side by side.

    Parameters
    ----------
    methods : iterable of mapping
        From `slidecaf.report.classification.classification`.
    feature_sets : iterable of mapping
        From `slidecaf.report.results.Results.feature_sets`.

    Returns
    -------
    list of dict
        A row a part and a feature set: part, network (its row of `feature_sets`), and ``scores``, encoding to a list of
        method, accuracy and balanced_accuracy. A method stands under what its final model chose. Empty where no
        method encodes.
    """
    sets, found = {one["name"]: one for one in feature_sets}, {}
    for method in methods:
        chosen = method["choices"]["final"]["chosen"]
        if "fisher" not in chosen:
            continue
        for part, scores in method["parts"]:
            row = found.setdefault((part, chosen["features"]), {})
            numbers = {key: scores[key] for key in ("accuracy", "balanced_accuracy")}
            row.setdefault(chosen["fisher"], []).append({"method": method["name"], **numbers})
    return [
        {"part": part, "set": name, "network": sets.get(name) or sets[split_output(name)[0]], "scores": scores}
        for (part, name), scores in found.items()
    ]
