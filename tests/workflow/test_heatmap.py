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
