"""Features of another program through the whole classification, and a study's features out to other programs."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch

from slidecaf.files.tables import read_tsv
from slidecaf.viewer.catalogue import Catalogue
from tests.workflow.conftest import make_mini

pytestmark = pytest.mark.long

SLIDES = [f"{label}-{number}" for label in ("gbm", "lgg") for number in (1, 2, 3)]


def trident_file(path, slide, count=9):
    """A file as TRIDENT's, with random features that no encoder made; those of GBM are larger."""
    rng = np.random.default_rng([*slide.encode()])
    features = rng.normal(size=(count, 16)).astype(np.float32) + 3 * (slide[0] == "g")
    coords = 100 * np.stack([np.arange(count) % 3, np.arange(count) // 3], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features).attrs["encoder"] = "random numbers"
        said = {"patch_size": 50, "patch_size_level0": 100, "level0_magnification": 40, "target_magnification": 20}
        said |= {"overlap": 0, "level0_width": 300, "level0_height": 300, "name": slide}
        file.create_dataset("coords", data=coords).attrs.update(said)


def slidecaf(study, *arguments):
    command = [sys.executable, "-m", "slidecaf.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=study.environment(), timeout=100)


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """A study on imported features that has been run."""
    folder = tmp_path_factory.mktemp("exchange")
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0"}
    config = {
        "slides_per_job": 1,
        "features": {"cnn": {"tiling": {"patch_size": 100, "stride": 100}, "encoder": encoder}},
        "classification": {
            "sheet": "classification.tsv",
            "positive": "GBM",
            "folds": 2,
            "methods": {"svm": {"features": ["cnn"], "norm": [1], "keep": [5], "C": [1]}},
        },
    }
    study = make_mini(folder / "study", patients=2, config=config, size=300)
    for slide in SLIDES:
        trident_file(folder / f"job/20x_50px_0px_overlap/features_uni_v1/{slide}.h5", slide)
    done = slidecaf(study, "import", "trident", folder / "job", "--study", study.folder, "--features", "uni")
    assert done.returncode == 0, done.stderr
    assert "6 of 6 slides, 54 patches, 16 values each" in done.stdout
    assert "by random numbers" in done.stdout
    assert "norm: [1]" in done.stdout
    study.config(lambda config: config["classification"]["methods"]["svm"].update(features=["uni"]))
    study.finish()
    return study


def test_the_whole_classification_runs_on_imported_features(adopted):
    rows = read_tsv(adopted / "results/classification/svm/predictions.tsv")
    assert sorted(row["slide"] for row in rows) == sorted(SLIDES)
    assert all(row["status"] == "ok" and row["patches"] == "9" for row in rows)
    scores = json.loads((adopted / "results/classification/svm/scores.json").read_text())
    assert scores["caveats"] == ["imported features (uni): computed by TRIDENT, not by slidecaf"]
    assert scores["test"]["accuracy"] == 1
    assert not list(adopted.folder.glob("results/*/cnn"))  # the feature set of the network was never asked for
    with h5py.File(adopted / "results/features/uni/gbm-1.h5") as file:
        assert (file["features"].dtype, file["features"].shape) == (np.float16, (9, 16))
        assert file["features"].attrs["encoder"] == "random numbers"
        assert file["coords"].attrs["patch_size_level0"] == 100


def test_the_report_says_whose_features_they_are(adopted):
    page = (adopted / "results/report.html").read_text()
    assert "computed by TRIDENT, not by slidecaf" in page
    assert "Patches and their feature vectors were computed by TRIDENT" in page
    assert all(f">{slide}<" in page for slide in SLIDES)


def test_the_check_and_the_viewer_understand_imported_features(adopted, monkeypatch, repository):
    done = slidecaf(adopted, "check", adopted.folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["features"]["uni"]["patches"] == 54
    monkeypatch.chdir(adopted.folder)
    catalogue = Catalogue()
    assert "imported features (uni): computed by TRIDENT, not by slidecaf" in catalogue.caveats()
    assert catalogue.layer("gbm-1", "patches/uni")["ready"]
    assert catalogue.encoder("gbm-1", "uni") == "random numbers"


def test_one_slides_new_features_rerun_what_comes_of_them_only(adopted, tmp_path):
    job = adopted.folder.parent / "job/20x_50px_0px_overlap/features_uni_v1"
    study = adopted.copy(tmp_path / "study")
    study.config(lambda config: config["features"]["uni"].update(folder=str(job)))  # elsewhere, the same
    assert study.planned() == {"study": 1}
    kept = (job / "lgg-3.h5").read_bytes()
    try:
        trident_file(job / "lgg-3.h5", "lgg-3", count=8)
        assert study.planned() == {
            **{"study": 1, "imported_tiles": 1, "imported_features": 1, "pooling": 1},
            **{"decisions": 1, "heatmap": 1, "scores": 1},
        }
        (job / "lgg-3.h5").unlink()
        done = study.snakemake("-n")
        assert done.returncode != 0
        assert "features.uni: slide lgg-3: there is no" in done.stderr
        assert "lgg-3.h5; compute its features there too" in done.stderr
    finally:
        (job / "lgg-3.h5").write_bytes(kept)


def test_imported_features_leave_the_study_again_for_clam(adopted, tmp_path):
    done = slidecaf(adopted, "export", "clam", adopted.folder, "--features", "uni", "--to", tmp_path / "clam")
    assert done.returncode == 0, done.stderr
    assert "6 slides of uni" in done.stdout
    bag = torch.load(tmp_path / "clam/pt_files/gbm-1.pt", weights_only=True)
    with h5py.File(adopted.folder.parent / "job/20x_50px_0px_overlap/features_uni_v1/gbm-1.h5") as file:
        np.testing.assert_allclose(bag.numpy(), file["features"][:], atol=0.01)


def test_errors_of_the_commands_say_what_to_do(adopted, tmp_path):
    for arguments, said in (
        (("export", "clam", tmp_path, "--features", "uni", "--to", tmp_path), "has no config.yaml"),
        (("export", "clam", adopted.folder, "--features", "unni", "--to", tmp_path), "write one of: uni, cnn"),
        (("import", "trident", tmp_path, "--study", adopted.folder, "--features", "x"), "has no features_*/*.h5"),
        (("import", "clam", tmp_path, "--study", adopted.folder, "--features", "x"), "has no folder h5_files"),
    ):
        done = slidecaf(adopted, *arguments)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
