"""The paper's manual features stand where a network's do, in both tasks, without a job of a network and weights."""

import h5py
import pytest
import yaml

from tests.workflow.conftest import make_mini, mini_config, segmentation_config


def manual_config():
    """A feature set of kind manual in the classification, densely in the segmentation too."""
    config, other = mini_config(), segmentation_config()
    config["features"] = {
        "mf-160": {"kind": "manual", "tiling": {"patch_size": 160, "stride": 160, "white_above": 200}},
        "mf-dense": {"kind": "manual", "extraction": "dense", "tiling": other["features"]["dense-96"]["tiling"]},
    }
    config["classification"]["methods"] = {"svm-mf": {"features": ["mf-160"], "keep": [100], "C": [1]}}
    other["segmentation"]["methods"] = {
        "svm-mf": {**other["segmentation"]["methods"]["svm-cnn"], "features": "mf-dense", "hard_examples": None}
    }
    return {**config, "segmentation": other["segmentation"]}


@pytest.mark.long
def test_both_tasks_run_on_manual_features(tmp_path):
    study = make_mini(tmp_path / "study", patients=3, config=manual_config(), size=500)
    said = study.finish().stdout
    assert "svm-mf" in said
    assert not study.planned()
    with h5py.File(next(study.folder.glob("results/features/mf-160/*.h5"))) as file:
        attributes = dict(file["features"].attrs)
        assert file["features"].shape[1] == 186
        assert (file["features"][:] >= 0).all()
    assert (attributes["encoder"], attributes["layer"], attributes["weights_sha256"]) == ("SIFT + LBP + L*a*b*", "", "")
    assert not (study / "results/encoders").exists()
    for task in ("classification", "segmentation"):
        scores = (study / f"results/{task}/svm-mf/scores.json").read_text()
        assert "random weights" not in scores
    page = (study / "results/report.html").read_text()
    assert "no network: SIFT, local binary patterns, L*a*b* histogram" in page


def test_no_job_of_them_asks_for_a_gpu_or_looks_at_a_network(tmp_path):
    study = make_mini(tmp_path / "study", patients=3, config=manual_config(), size=300)
    planned = study.planned()
    assert planned["manual_features"] == len(study.batches()) + 2
    assert planned["features"] == planned["encoder"] == 0


def test_what_belongs_to_a_network_is_refused(tmp_path):
    study = make_mini(tmp_path / "study", patients=3, size=100)
    config = manual_config()
    config["features"]["mf-160"]["precision"] = "bf16"
    (study / "config.yaml").write_text(yaml.safe_dump(config))
    refused = study.snakemake("-n")
    assert refused.returncode != 0
    assert "features.mf-160.precision: unknown key" in refused.stdout + refused.stderr
