"""A collection of small images with the decisions of two methods, made without a run: for the viewer's tests."""

from itertools import cycle
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from slidecaf.classification.class_maps import draw
from slidecaf.files.tables import write_tsv

CLASSES = ("boat", "house", "tree")
SHAPES = ((200, 150), (150, 200), (180, 180))
COLOURS = {"boat": (40, 90, 200), "house": (200, 80, 60), "tree": (60, 150, 70)}


def config(classes=CLASSES):
    """Settings of a collection of whole images."""
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}
    methods = {
        "svm": {"features": ["whole"], "norm": [1], "keep": ["all"], "C": [1]},
        "later": {"features": ["whole"], "norm": [1], "keep": ["all"], "C": [10]},
        "seen": {"features": ["places"], "fisher": {"components": [4], "kind": ["ffv"]}, "keep": ["all"], "C": [1]},
    }
    places = {"tiling": "whole", "encoder": encoder | {"map": "places"}}
    return {
        "features": {"whole": {"tiling": "whole", "encoder": encoder}, "places": places},
        "classification": {
            "sheet": "images.tsv",
            "item_name": "image",
            "group_name": "place",
            "folds": 2,
            "positive": classes[1] if len(classes) == 2 else None,
            "methods": methods,
        },
    }


def decisions(n, classes=CLASSES, *, seed=0):
    """Make rows of ``predictions.tsv``: one of six wrong, every fourth a test row, the last two of these unlabelled.

    Parameters
    ----------
    n : int
    classes : sequence of str
    seed : int, optional

    Returns
    -------
    columns : list of str
    rows : list of dict
    """
    generator, rows = np.random.default_rng(seed), []
    names = ["confidence"] if len(classes) == 2 else [f"confidence_{label}" for label in classes]
    for number, label in zip(range(n), cycle(classes), strict=False):
        guess = classes[(classes.index(label) + (number % 6 == 5)) % len(classes)]
        scores = generator.normal(size=len(classes))
        scores[classes.index(guess)] = scores.max() + generator.random()
        signed = abs(scores[0]) * (1 if guess == classes[-1] else -1)
        test = number % 4 == 0
        known = {"slide": f"{label}-{number:05d}", "patient": f"{'pt'[test]}{number // 3}", "label": label}
        part = {"split": "test" if test else "cv", "fold": "" if test else number % 2}
        confidences = dict(zip(names, [signed] if len(names) == 1 else scores, strict=True))
        rows.append({**known, **part, "predicted": guess, **confidences, "patches": 1, "status": "ok"})
    for row in [row for row in rows if row["split"] == "test"][-2:]:
        row["label"] = ""
    header = ["slide", "patient", "split", "fold", "label", "predicted", *names, "patches", "status"]
    return header, sorted(rows, key=lambda row: (row["split"], row["slide"]))


def make(folder, n=24, *, classes=CLASSES, pictures=True):
    """Make the study: method ``svm`` is done, ``later`` is not; ``seen`` has the map of the first image alone.

    Parameters
    ----------
    folder : Path
    n : int, optional
        Images.
    classes : sequence of str, optional
    pictures : bool, optional
        False has all names share one picture.

    Returns
    -------
    list of dict
        The rows of the table.
    """
    header, rows = decisions(n, classes)
    (folder / "images").mkdir(parents=True)
    first, lines = None, ["image\tpath\tlabel\tpatient\tsplit\tcamera"]
    for number, row in enumerate(rows):
        path = Path("images", f"{row['slide']}.png")
        if first and not pictures:
            (folder / path).hardlink_to(first)
        else:
            first = folder / path
            _picture(first, SHAPES[number % len(SHAPES)], COLOURS[row["slide"].split("-")[0]], number)
        split = "test" if row["split"] == "test" else "train"
        lines.append("\t".join([row["slide"], str(path), row["label"], row["patient"], split, f"nr{number % 3}"]))
    (folder / "images.tsv").write_text("\n".join(lines) + "\n")
    (folder / "config.yaml").write_text(yaml.safe_dump(config(classes), sort_keys=False))
    top = folder / "results/classification"
    for method in ("svm", "seen"):
        write_tsv(top / method / "predictions.tsv", header, rows)
    slide = rows[0]["slide"]
    with Image.open(folder / "images" / f"{slide}.png") as opened:
        picture = np.asarray(opened)
    (top / "seen/maps").mkdir()
    draw(picture, membership(picture.shape[:2]), 0.5).save(top / f"seen/maps/{slide}.png")
    return rows


def membership(shape):
    """Return what the map of the first image shows: from 0 at the left to 1.25, no place in the last row of ten."""
    values = np.broadcast_to(np.linspace(0, 1.25, shape[1]), shape).copy()
    values[-shape[0] // 10 :] = np.nan
    return values


def _picture(path, size, colour, number):
    """Draw a disk whose place says which picture it is."""
    y, x = np.mgrid[: size[1], : size[0]]
    disk = (x - 40 - number * 37 % 100) ** 2 + (y - 40 - number * 53 % 80) ** 2 < 30**2
    Image.fromarray(np.where(disk[..., None], colour, 235).astype(np.uint8)).save(path)
