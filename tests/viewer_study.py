"""A study that looks finished, made without a run: for the viewer's tests."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from slidecaf.files.hdf5 import create_hdf5
from slidecaf.files.tables import write_json, write_tsv
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.rasters import write_confidence, write_mask
from slidecaf.tiles.file import put_coords, write_tiles

WIDTH, HEIGHT = 700, 517
PATCH, STRIDE = 64, 48
THRESHOLD = 0.25
HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass
class Viewed:
    """What lies in the study's files."""

    folder: Path
    truth: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    coords: np.ndarray
    hard: list
    scores: np.ndarray


def blobs():
    """A mask with straight, slanted and round borders at places that no tile or cell knows."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = (x - 251.3) ** 2 + (y - 255.7) ** 2 < 131.5**2
    mask |= (np.abs(x - 533) < 61) & (np.abs(y - 211) < 45)
    mask |= (x + 2 * y > 1290) & (x > 301) & (y < 507)
    mask[13:16, 5:690] = True
    return mask


def config():
    features = {
        "tiling": {"patch_size": PATCH, "stride": STRIDE, "edge": "cover"},
        "encoder": {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64},
    }
    return {
        "features": {"cnn-64": features},
        "classification": {
            "sheet": "classification.tsv",
            "positive": "GBM",
            "folds": 2,
            "methods": {
                "svm-caf": {"features": ["cnn-64"], "C": [1]},
                "mcil": {"kind": "mcil", "features": "cnn-64", "clusters": 2},
            },
        },
        "segmentation": {
            "sheet": "segmentation.tsv",
            "methods": {
                "svm-cnn": {"features": "cnn-64", "training_stride": STRIDE, "hard_examples": {"stride": STRIDE}}
            },
        },
    }


def make(folder):
    """Make the study: `same` is black on white where its mask is, `bad` is no picture, `gone` is no file."""
    truth = blobs()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    confidence = (np.where(truth, 1.0, -0.75) + x / 7000 - y / 9000).astype(np.float32)
    confidence[:, 650:] = np.nan
    predicted = np.roll(truth, (9, 14), axis=(0, 1))
    Image.fromarray(np.where(truth, np.uint8(0), np.uint8(255))).convert("RGB").save(folder / "same.png")
    Image.fromarray(truth).save(folder / "mask.png")
    for name in ("second", "third"):
        Image.fromarray(np.full((90, 120, 3), 200, np.uint8)).save(folder / f"{name}.png")
        Image.fromarray(np.zeros((90, 120), np.uint8)).save(folder / f"{name}-mask.png")
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    rows = [
        ("same", "same.png", "mask.png", "p1", "train"),
        ("second", "second.png", "second-mask.png", "p2", "train"),
        ("third", "third.png", "third-mask.png", "p3", "train"),
    ]
    _sheet(
        folder / "segmentation.tsv",
        ("slide", "path", "mask", "patient", "split", "site"),
        [(*row, "Wien") for row in rows],
    )
    labelled = [
        ("same", "same.png", "GBM", "p1", "train"),
        ("second", "second.png", "LGG", "p2", "train"),
        ("bad", "bad.png", "GBM", "p4", "train"),
        ("gone", "gone.png", "LGG", HOSTILE, "train"),
    ]
    _sheet(folder / "classification.tsv", ("slide", "path", "label", "patient", "split"), labelled)
    (folder / "config.yaml").write_text(yaml.safe_dump(config()))
    results = folder / "results"
    places = [np.arange(0, side, STRIDE) for side in (WIDTH, HEIGHT)]
    coords = np.stack(np.meshgrid(*places), axis=-1).reshape(-1, 2)[:60]
    attributes = {"patch_size_level0": PATCH, "stride_level0": float(STRIDE), "status": "ok"}
    write_tiles(results / "tiles/cnn-64/same.h5", coords, attributes)
    patch_scores = np.where(coords[:, 0] < 300, 1.5, -0.5) + coords[:, 1] / 1000
    write_patch_scores(
        results / "classification/mcil/patches/same.h5", coords, attributes, patch_scores, np.arange(60) % 2
    )
    cells = Cells(np.arange(WIDTH + 1), np.arange(HEIGHT + 1))
    top = results / "segmentation/svm-cnn"
    scores = []
    for variant, score in (("plain", 0.8125), ("hard", 0.75)):
        values = confidence if variant == "plain" else confidence / 2
        write_confidence(top / variant / "confidence/same.tif", values, cells, attributes={}, mpp=None)
        write_mask(top / variant / "mask/same.tif", predicted, cells, attributes={}, mpp=None)
        write_json(top / variant / "score/same.json", {"threshold": THRESHOLD})
        scores.append({"slide": "same", "variant": variant, "score": score, "status": "ok"})
    write_tsv(top / "scores.tsv", ["slide", "variant", "score", "status"], scores)
    hard = [("same", 48, 96, "missed"), ("same", 480, 240, "false"), ("second", 0, 0, "missed")]
    columns = ("slide", "x", "y", "kind")
    write_tsv(top / "hard_examples.tsv", columns, [dict(zip(columns, row, strict=True)) for row in hard])
    predictions = [
        ("bad", "p4", "cv", 0, "GBM", "", "", "", "unreadable"),
        ("same", "p1", "cv", 1, "GBM", "GBM", 1.5, 60, "ok"),
        ("second", "p2", "cv", 0, "LGG", "GBM", 0.25, 4, "ok"),
    ]
    columns = ("slide", "patient", "split", "fold", "label", "predicted", "confidence", "patches", "status")
    top = results / "classification/svm-caf"
    write_tsv(top / "predictions.tsv", columns, [dict(zip(columns, row, strict=True)) for row in predictions])
    write_json(top / "scores.json", {"caveats": ["random weights: said twice"]})
    return Viewed(folder, truth, predicted, confidence, coords, hard, patch_scores)


def write_patch_scores(path, coords, attributes, scores, clusters):
    """Write what a classification says of patches."""
    with create_hdf5(path) as file:
        put_coords(file, coords, attributes)
        file["score"], file["cluster"] = scores.astype(np.float32), clusters.astype(np.int16)


def add_region(folder, left, top, right, bottom):
    """Give slide `same` a rectangle as its region of interest, in both sheets."""
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (folder / "roi.geojson").write_text(json.dumps([feature]))
    for sheet in (folder / "classification.tsv", folder / "segmentation.tsv"):
        header, *lines = sheet.read_text().splitlines()
        lines = [line + ("\troi.geojson" if line.startswith("same") else "\t") for line in lines]
        sheet.write_text("\n".join([f"{header}\troi", *lines]) + "\n")


def write_heatmap(path, coords, contribution, *, intercept, **further):
    """Write what a classification's decision is made of."""
    with create_hdf5(path) as file:
        put_coords(file, coords, {"patch_size_level0": PATCH, "stride_level0": float(STRIDE), "status": "ok"})
        file["contribution"] = contribution
        if len(coords):
            said = {"intercept": intercept, "confidence": float(np.nansum(contribution)) + intercept}
            file["contribution"].attrs.update(said | {"against": "LGG", "speaks_for": "GBM"} | further)


def _sheet(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in (columns, *rows)))
