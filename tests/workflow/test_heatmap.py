"""Why a slide is called what it is: its decision value, shared out among its patches in files and in the viewer."""

import csv

import h5py
import numpy as np
import pytest


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("method", ["svm-cnn", "mean"])
def test_the_patches_of_every_slide_add_up_to_its_confidence(finished, method):
    top = finished / f"results/classification/{method}"
    rows = read(top / "predictions.tsv")
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
    table = read(top / "evidence.tsv")
    predictions = {row["slide"]: row for row in read(top / "predictions.tsv")}
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
