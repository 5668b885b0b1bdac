"""Why a slide is called what it is: its decision value, shared out among its patches in files and in the viewer."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from slidecaf.files.tables import read_tsv


@pytest.mark.parametrize("method", ["svm-cnn", "mean"])
def test_the_patches_of_every_slide_add_up_to_its_confidence(finished, method):
    top = finished / f"results/classification/{method}"
    rows = read_tsv(top / "predictions.tsv")
    assert {row["slide"] for row in rows} == {path.stem for path in (top / "heatmap").glob("*.h5")}
    for row in rows:
        with h5py.File(top / f"heatmap/{row['slide']}.h5") as file:
            shares, said = file["contribution"][:], dict(file["contribution"].attrs)
            places = file["coords"][:]
        assert len(shares) == len(places) == int(row["patches"])
        assert np.nansum(shares) + said["intercept"] == pytest.approx(float(row["confidence"]), abs=1e-9)
        assert said["confidence"] == pytest.approx(float(row["confidence"]), abs=1e-12)
        assert (said["against"], said["speaks_for"]) == ("LGG", "GBM")


def test_the_patches_that_speak_most_are_those_of_the_heat_map_and_lie_where_the_table_says(finished):
    top = finished / "results/classification/svm-cnn"
    table = read_tsv(top / "evidence.tsv")
    predictions = {row["slide"]: row for row in read_tsv(top / "predictions.tsv")}
    wrong = [row["slide"] for row in predictions.values() if row["predicted"] and row["predicted"] != row["label"]]
    assert {row["slide"] for row in table if row["label"] != row["predicted"]} <= set(wrong)
    for row in (row for row in table if row["place"] == "0"):
        with h5py.File(top / f"heatmap/{row['slide']}.h5") as file:
            shares, places = file["contribution"][:], file["coords"][:]
            own = np.nansum(~np.isnan(shares)) * shares + file["contribution"].attrs["intercept"]
        best = np.nanargmax(own if row["side"] == "for" else -own)
        assert float(row["patch_confidence"]) == pytest.approx(own[best])
        assert (int(row["x"]), int(row["y"])) == tuple(places[best])
    text = (finished / "results/report.html").read_text()
    assert "Why: what speaks for and against" in text


def export(study, *arguments):
    command = [sys.executable, "-m", "slidecaf.cli", "export", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=study.environment(), timeout=100)


def test_the_heat_maps_leave_the_study_for_qupath(finished, tmp_path):
    done = export(finished, "qupath", finished.folder, "--method", "svm-cnn", "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = read_tsv(finished / "results/classification/svm-cnn/predictions.tsv")
    assert f"{len(rows)} slides of svm-cnn in {tmp_path}, as QuPath opens them" in done.stdout
    for row in rows:
        found = json.loads((tmp_path / f"{row['slide']}.geojson").read_text())
        added = sum(tile["properties"]["measurements"]["Contribution"] for tile in found["features"])
        assert added + found["slidecaf"]["intercept"] == pytest.approx(float(row["confidence"]), abs=1e-9)
        assert found["slidecaf"]["caveats"] == ["random weights: the network was never trained"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("qupath", "--features", "cnn-224"), "slidecaf export qupath: write --method NAME, and no --features."),
        (("clam", "--method", "svm-cnn"), "slidecaf export clam: write --features NAME, and no --method."),
        (("qupath", "--method", "svm"), "'svm' is no method with heat maps"),
    ],
)
def test_an_export_that_names_the_wrong_thing_says_what_to_write(finished, tmp_path, arguments, said):
    kind, *others = arguments
    done = export(finished, kind, finished.folder, *others, "--to", tmp_path)
    assert (done.returncode, said in done.stderr) == (1, True)
    assert not list(tmp_path.iterdir())
