"""Fisher vectors through the workflow: all is learned from a part's training rows, and C alone encodes nothing anew."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.workflow.conftest import make_mini, mini_config

pytestmark = pytest.mark.long


def config():
    """One method on the patches of slides that chooses among encodings."""
    mini = mini_config()
    mini["features"] = {"cnn-96": {"tiling": {"patch_size": 96, "stride": 48}, **_encoder(mini)}}
    fisher = {"components": [2], "kind": ["ifv", "ffv", "vlad"], "pca": [4]}
    mini["classification"]["methods"] = {
        "fisher": {"features": ["cnn-96"], "fisher": fisher, "keep": ["all"], "C": [0.1, 1]},
        "foreground": {"features": ["cnn-96"], "fisher": {**fisher, "kind": "ffv"}, "keep": ["all"], "C": [1]},
    }
    return mini


def _encoder(mini):
    return {"encoder": mini["features"]["cnn-224"]["encoder"]}


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_a_study_of_fisher_vectors_leaks_nothing_and_encodes_nothing_twice(tmp_path):
    study = make_mini(tmp_path / "study", patients=6, config=config())
    sheet = study / "classification.tsv"
    rows, seen = read(sheet), {}
    for row in rows:  # two folds, each with every class
        row["fold"] = "" if row["split"] == "test" else seen.setdefault(row["label"], 0) % 2
        seen[row["label"]] = seen.get(row["label"], 0) + 1
        row["mask"] = ""
    size = Image.open(study / rows[0]["path"]).size
    mask = np.zeros(size[::-1], np.uint8)
    mask[: size[1] // 2] = 255
    Image.fromarray(mask).save(study / "mask.png")
    rows[0]["mask"] = "mask.png"
    write(sheet, rows)
    study.finish()
    assert study.planned(shown=True) == {}
    top = study / "results/classification/fisher"
    assert not (study / "results/pooled").exists()
    choice = json.loads((top / "final/choice.json").read_text())
    assert {one["fisher"] for one in choice["candidates"]} == {"ifv", "ffv", "vlad"}
    assert len(choice["candidates"]) == 3 * 2
    assert all(row["predicted"] for row in read(top / "predictions.tsv"))

    # a map a slide, by the model that never saw it, and the mask beside it
    maps = read(study / "results/classification/foreground/maps.tsv")
    assert {row["slide"] for row in maps} == {row["slide"] for row in rows}
    assert [row["slide"] for row in maps if row["auc"]] == [rows[0]["slide"]]
    for row in maps:
        with Image.open(study / f"results/classification/foreground/maps/{row['slide']}.png") as drawn:
            assert drawn.width > 3 * drawn.height / 2
            assert float(drawn.text["threshold"]) == float(row["threshold"])
    thresholds = {row["fold"]: row["threshold"] for row in maps}
    assert len(set(thresholds.values())) == 3  # of each fold, and of all training rows
    assert not (top / "maps.tsv").exists()

    # another C: what images are encoded by, and they, stay
    before = study.bytes()
    study.config(lambda c: c["classification"]["methods"]["fisher"].update(C=[1]))
    assert not {"mixtures", "encoded", "features"} & set(study.planned())
    study.finish()
    after = study.bytes()
    assert [
        path for path in before if "/fisher/" in path.split("classification/fisher")[-1] if before[path] != after[path]
    ] == []

    # held-out labels and held-out pictures reach nothing upstream of their decisions
    before = after
    held_out = [row for row in rows if row["fold"] == 0]
    chance = np.random.default_rng(0)
    for row in held_out:
        row["label"] = {"GBM": "LGG", "LGG": "GBM"}[row["label"]]
        path = study / row["path"]
        shape = np.asarray(Image.open(path)).shape
        Image.fromarray(chance.integers(0, 180, shape, dtype=np.uint8)).save(path)
    write(sheet, rows)
    study.finish()
    after = study.bytes()
    upstream = ["choice.json", "selection.tsv", "model.json", "fisher/mixtures.h5", "fisher/training.h5"]
    for name in upstream:
        path = f"results/classification/fisher/fold-0/{name}"
        assert before[path] == after[path], path
    decisions = "results/classification/fisher/fold-0/decisions.tsv"
    assert before[decisions] != after[decisions]
    for name in ("model.json", "fisher/mixtures.h5"):
        assert (
            before[f"results/classification/fisher/fold-1/{name}"]
            != after[f"results/classification/fisher/fold-1/{name}"]
        )
