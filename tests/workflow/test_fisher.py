"""Fisher vectors through the workflow: all is learned from a part's training rows, and C alone encodes nothing anew."""

import json

import numpy as np
import pytest
from PIL import Image

from slidecaf.files.tables import read_tsv
from tests.workflow.conftest import read_sheet, turn_labels

pytestmark = pytest.mark.long


def test_a_study_of_fisher_vectors_leaks_nothing_and_encodes_nothing_twice(encoded, tmp_path):
    study = encoded.copy(tmp_path / "study")
    assert study.planned(shown=True) == {}
    top = study / "results/classification/fisher"
    assert not (study / "results/pooled").exists()
    choice = json.loads((top / "final/choice.json").read_text())
    assert {one["fisher"] for one in choice["candidates"]} == {"ifv", "ffv", "vlad"}
    assert len(choice["candidates"]) == 3 * 2
    assert all(row["predicted"] for row in read_tsv(top / "predictions.tsv"))

    # a map a slide, by the model that never saw it, and the mask beside it
    maps = read_tsv(study / "results/classification/foreground/maps.tsv")
    assert {row["slide"] for row in maps} == {row["slide"] for row in read_sheet(study)}
    assert [row["slide"] for row in maps if row["auc"]] == ["gbm-1"]
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
    planned = study.planned()
    assert planned["classifier"] == 3
    assert not {"mixtures", "encoded", "features"} & set(planned)
    study.config(lambda c: c["classification"]["methods"]["fisher"].update(C=[0.1, 1]))

    # held-out labels and held-out pictures reach nothing upstream of their decisions
    chance = np.random.default_rng(0)
    for row in turn_labels(study):
        path = study / row["path"]
        shape = np.asarray(Image.open(path)).shape
        Image.fromarray(chance.integers(0, 180, shape, dtype=np.uint8)).save(path)
    study.judge()
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
