"""A network that learns from patches of slides: its tiles, its decisions, what runs again, and what it never sees."""

from html import unescape

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.heatmap import read_heatmap
from slidecaf.files.tables import read_tsv
from slidecaf.viewer.catalogue import Catalogue
from tests.workflow.conftest import accepted, fix_folds, make_mini, read_sheet, trained_config, turn_labels
from tests.workflow.test_predict import handed_on, slidecaf

pytestmark = pytest.mark.long

TOP = "results/classification/cnn"


def config():
    """A network on patches of a feature set that nothing else uses; of 4 of a slide it sees 3 in an epoch."""
    made = trained_config()
    tiling = {"patch_size": 160, "stride": 160, "white_above": 200}
    made["features"] = {"squares": {"kind": "manual", "tiling": tiling}}
    own = {"architecture": "custom-cnn", "patches_of": "squares", "patches_per_slide": 3}
    made["classification"]["methods"]["cnn"] |= own
    return made


@pytest.fixture(scope="module")
def patched(tmp_path_factory):
    study = make_mini(tmp_path_factory.mktemp("patched") / "study", config=config(), size=400)
    fix_folds(study)
    study.finish("--resources", "gpu=2")
    return study


def test_it_runs_to_scores_on_tiles_alone(patched):
    assert patched.planned(shown=True) == {}
    assert not (patched / "results/features").exists()
    assert not (patched / "results/encoders").exists()
    rows = read_tsv(patched / f"{TOP}/predictions.tsv")
    assert len(rows) == 10
    assert {row["patches"] for row in rows} == {"4"}
    assert all((float(row["confidence"]) > 0) == (row["predicted"] == "GBM") for row in rows)
    assert all(0 < float(row["probability"]) < 1 for row in rows)
    page = unescape((patched / "results/report.html").read_text())
    assert "Slides were cut into square patches of 160 × 160 px of level 0, 160 px apart" in page
    assert "at most 3 of each slide an epoch, drawn anew each time" in page
    assert "The probability of each slide is the mean of those of all its patches" in page
    assert "tells classes of whole slides apart, with a network trained here from scratch" in page
    accepted(patched)
    assert leftovers_of(patched) == []


def heat_of(study, slide):
    return read_heatmap(study / f"{TOP}/heatmap/{slide}.h5")


def test_the_patches_of_every_slide_add_up_to_what_is_decided_by(patched):
    decided = {}
    for part in ("fold-0", "fold-1", "final"):
        decided |= {row["slide"]: row for row in read_tsv(patched / f"{TOP}/{part}/decisions.tsv")}
    assert {path.stem for path in (patched / f"{TOP}/heatmap").glob("*.h5")} == set(decided)
    for slide, row in decided.items():
        heat, difference = heat_of(patched, slide), np.tanh(float(row["confidence"]) / 2)
        assert len(heat.coords) == int(row["patches"]) == 4
        assert heat.patch_confidence.mean() == pytest.approx(difference, abs=1e-9)
        assert heat.contribution.sum() == pytest.approx(heat.attributes["confidence"], abs=1e-12)
        assert [heat.attributes[key] for key in ("against", "speaks_for", "of")] == ["LGG", "GBM", "probability"]


def test_report_viewer_and_export_show_the_heat_maps(patched, tmp_path, monkeypatch):
    page = unescape((patched / "results/report.html").read_text())
    assert "Why: what speaks for and against" in page
    assert "its probability of GBM less that of LGG, and" in page
    assert "The outlines are the patches of squares" in page
    table = read_tsv(patched / f"{TOP}/evidence.tsv")
    assert table
    for row in table:
        heat = heat_of(patched, row["slide"])
        place = heat.coords.tolist().index([int(row["x"]), int(row["y"])])
        assert float(row["patch_confidence"]) == pytest.approx(heat.patch_confidence[place])
    done = slidecaf(patched.folder, "export", "qupath", ".", "--method", "cnn", "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "10 slides of cnn" in done.stdout
    monkeypatch.chdir(patched.folder)
    layers = {layer["id"]: layer["ready"] for layer in Catalogue().layers(table[0]["slide"])}
    assert (layers["heatmap/cnn"], layers["patches/squares"]) == (True, True)


def leftovers_of(study):
    done = slidecaf(study.folder, "clean", "--dry-run")
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("results/")]


def test_what_changes_the_patches_trains_again_and_what_does_not_does_not(patched, tmp_path):
    study = patched.copy(tmp_path / "study")
    study.config(lambda c: c["features"].update(other={**c["features"]["squares"], "extraction": "patchwise"}))
    study.config(lambda c: c["classification"]["methods"].update(svm={"features": ["squares"], "C": [1]}))
    planned = study.planned()  # features of the same tiles, which are there
    assert [planned[rule] for rule in ("tiles", "network", "network_decisions", "network_heatmap")] == [0] * 4
    assert planned["manual_features"] > 0
    study.config(lambda c: c["classification"]["methods"].pop("svm"))
    study.config(lambda c: c["features"]["squares"]["tiling"].update(stride=120))
    planned = study.planned()
    assert planned["tiles"] > 0
    assert (planned["network"], planned["network_decisions"]) == (3, 3)
    assert planned["network_heatmap"] == len(study.batches())


def test_a_heat_map_that_is_gone_is_made_again_alone(patched, tmp_path):
    study = patched.copy(tmp_path / "study")
    before, gone = study.bytes(), f"{TOP}/heatmap/gbm-2.h5"
    (study / gone).unlink()
    planned = study.planned(shown=True)
    assert planned["network_heatmap"] == 1
    assert not planned["network"] + planned["network_decisions"] + planned["tiles"]
    times = {path: path.stat().st_mtime_ns for path in (study / f"{TOP}/heatmap").glob("*.h5")}
    study.judge("--resources", "gpu=2")
    assert study.bytes() == before
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_held_out_slides_and_labels_reach_no_byte_of_their_folds_network_and_heat_maps(patched, tmp_path):
    study = patched.copy(tmp_path / "study")
    before = study.bytes()
    flipped = turn_labels(study)[::2]
    for path in [study / row["path"] for row in flipped]:
        with Image.open(path) as opened:
            opened.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(path)
    study.judge("--resources", "gpu=2")
    after = study.bytes()
    own = [f"{TOP}/fold-0/{name}" for name in ("network.safetensors", "model.json", "choice.json", "inner.tsv")]
    assert [path for path in own if before[path] != after[path]] == []
    for path in ("fold-0/decisions.tsv", "fold-1/network.safetensors", "final/network.safetensors"):
        assert before[f"{TOP}/{path}"] != after[f"{TOP}/{path}"], path
    # the labels reach the heat maps of others, judged by networks that learned from them, and a picture its own
    for row in read_sheet(study):
        path = f"{TOP}/heatmap/{row['slide']}.h5"
        same = row["fold"] == "0" and row["slide"] not in {own["slide"] for own in flipped}
        assert (before[path] == after[path]) == same, path


def test_a_model_of_patches_is_handed_on_with_its_tiling(patched, tmp_path):
    handed, _ = handed_on(patched, tmp_path, "cnn", slides=["gbm-5", "lgg-5"])
    found = [{row["slide"]: row for row in read_tsv(study / f"{TOP}/predictions.tsv")} for study in (patched, handed)]
    for slide in ("gbm-5", "lgg-5"):
        assert [one[slide]["confidence"] for one in found[1:]] == [found[0][slide]["confidence"]]
        assert found[1][slide]["patches"] == "4"
        ours, theirs = heat_of(patched, slide), heat_of(handed, slide)
        assert ours.contribution.tolist() == theirs.contribution.tolist()


def test_a_feature_set_that_is_not_there_is_refused(patched, tmp_path):
    study = patched.copy(tmp_path / "study")
    study.config(lambda c: c["classification"]["methods"]["cnn"].update(patches_of="squraes"))
    refused = study.snakemake("-n")
    assert "cnn.patches_of: there is no feature set 'squraes', did you mean squares?" in refused.stderr
