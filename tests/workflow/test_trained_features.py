"""Feature sets of networks trained here: each part reads the vectors of its own network, and no other's."""

import json
from html import unescape

import h5py
import pytest
from safetensors import safe_open

from slidecaf.files.tables import read_tsv
from tests.workflow.conftest import accepted, fix_folds, make_mini, trained_config, turn_labels
from tests.workflow.test_predict import handed_on

pytestmark = pytest.mark.long


def config():
    """One network, and two feature sets of it: a vector an image for an SVM, and its places for Fisher vectors."""
    made = trained_config()
    # without batch normalisation, whose statistics two epochs leave far off
    encoder = {"model": "squeezenet1_1", "weights": "trained:cnn", "input_size": 64}
    made["features"] = {
        "tuned": {"tiling": "whole", "shards": 1, "encoder": {**encoder, "layer": "features"}},
        "places": {"tiling": "whole", "shards": 1, "encoder": {**encoder, "layer": "features.7", "map": "places"}},
    }
    fisher = {"components": [2], "pca": [4], "kind": ["ffv"]}
    made["classification"]["methods"]["cnn"]["architecture"] = "squeezenet1_1"
    made["classification"]["methods"] |= {
        "svm": {"features": ["tuned"], "norm": [1], "keep": ["all"], "C": [0.1, 1]},
        "fv": {"features": ["places"], "keep": ["all"], "C": [1], "fisher": fisher},
    }
    return made


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    study = make_mini(tmp_path_factory.mktemp("tuned") / "study", config=config(), size=160)
    fix_folds(study)
    study.finish("--resources", "gpu=2")
    return study


def test_each_part_has_features_of_its_own_network(tuned):
    assert tuned.planned(shown=True) == {}
    folds = {row["slide"]: row["fold"] for row in read_tsv(tuned / "results/classification/svm/folds.tsv")}
    digests = {}
    for part, name in {"fold-0": "tuned@fold-0", "fold-1": "tuned@fold-1", "final": "tuned"}.items():
        with h5py.File(tuned / f"results/features/{name}/shard-0.h5") as file:
            held = {slide.decode() for slide in file["slides"][:]}
            digests[part] = file["features"].attrs["weights_sha256"]
        assert held == {*folds, *(() if part != "final" else ("gbm-5", "lgg-5"))}
        described = json.loads((tuned / f"results/encoders/{name}.json").read_text())
        assert described["weights_sha256"] == digests[part]
        with safe_open(tuned / f"results/classification/cnn/{part}/network.safetensors", "np") as file:
            seen = json.loads(file.metadata()["slidecaf"])["images"]
        assert not {slide for slide in seen if f"fold-{folds[slide]}" == part}
    assert len({*digests.values()}) == 3
    scores = json.loads((tuned / "results/classification/fv/scores.json").read_text())
    assert any("it learned from all training rows of a part" in caveat for caveat in scores["caveats"])
    page = unescape((tuned / "results/report.html").read_text())
    assert "as the method cnn trained it, in each fold on the fold's own training rows" in page
    accepted(tuned)


def test_held_out_labels_reach_no_feature_of_their_fold(tuned, tmp_path):
    study = tuned.copy(tmp_path / "study")
    before = study.bytes()
    turn_labels(study)
    study.judge("--resources", "gpu=2")
    after = study.bytes()
    upstream = [path for path in before if "@fold-0" in path or "/fold-0/" in path]
    assert {path.split("/")[2] for path in upstream if "/features/" in path} == {"tuned@fold-0", "places@fold-0"}
    assert len([path for path in upstream if path.endswith("decisions.tsv")]) == 3
    assert [path for path in upstream if before[path] != after[path]] == []
    for path in ("features/tuned@fold-1/shard-0.h5", "features/tuned/shard-0.h5", "classification/svm/scores.json"):
        assert before[f"results/{path}"] != after[f"results/{path}"], path


def test_what_changes_the_network_computes_its_features_anew(tuned, tmp_path):
    study = tuned.copy(tmp_path / "study")
    study.config(lambda c: c["classification"]["methods"]["cnn"].update(epochs=1))
    planned = study.planned()
    assert (planned["network"], planned["whole_features"], planned["mixtures"]) == (3, 6, 3)
    study.config(lambda c: c["classification"]["methods"]["cnn"].update(epochs=2))
    study.config(lambda c: c["classification"]["methods"]["svm"].update(C=[1]))
    planned = study.planned()
    assert (planned["network"], planned["whole_features"], planned["classifier"]) == (0, 0, 3)
    study.config(lambda c: c["classification"]["methods"].pop("svm"))
    assert study.planned()["whole_features"] == 0


def test_a_model_of_such_features_is_handed_on_with_its_network(tuned, tmp_path):
    handed, _ = handed_on(tuned, tmp_path, "fv", slides=["gbm-5", "lgg-5"])
    assert [path.name for path in handed.folder.rglob("weights/*")] == ["places.safetensors"]
    confidences = []
    for study in (tuned, handed):
        rows = read_tsv(study / "results/classification/fv/predictions.tsv")
        confidences.append({row["slide"]: row["confidence"] for row in rows if row["slide"] in ("gbm-5", "lgg-5")})
    assert confidences[0] == confidences[1]
    assert len(confidences[0]) == 2
