"""Heat maps as QuPath opens them."""

import json
from types import MappingProxyType

import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.exchange.qupath import explained_slides, write_qupath
from slidecaf.files.hdf5 import create_hdf5
from slidecaf.study.checked import Study
from slidecaf.study.config import check_config
from slidecaf.study.sheets import Row
from slidecaf.tiles.file import put_coords


def heat_file(path, coords, contribution, further=MappingProxyType({}), **attributes):
    with create_hdf5(path) as file:
        put_coords(file, np.array(coords).reshape(-1, 2), attributes)
        file["contribution"] = np.array(contribution, float)
        if len(coords):
            said = {"intercept": -0.25, "confidence": float(np.nansum(contribution)) - 0.25}
            file["contribution"].attrs.update(said | {"against": "LGG", "speaks_for": "GBM"} | further)
    return path


def written(folder, slide):
    return json.loads((folder / f"{slide}.geojson").read_text())


def test_each_valid_patch_is_a_tile_and_their_contributions_add_up(tmp_path):
    known = {"patch_size_level0": 100, "level0_width": 500, "level0_height": 300}
    heat = heat_file(tmp_path / "s.h5", [[0, 0], [75, 0], [75, 50]], [0.5, np.nan, -0.125], **known)
    assert list(write_qupath({"s": heat}, tmp_path, method="svm", caveats=["random weights"])) == ["s"]
    found = written(tmp_path, "s")
    assert len(found["features"]) == 2
    measured = [feature["properties"]["measurements"] for feature in found["features"]]
    about = found["slidecaf"]
    assert sum(one["Contribution"] for one in measured) + about["intercept"] == about["confidence"] == 0.125
    assert np.mean([one["Patch confidence"] for one in measured]) == about["confidence"]
    assert {tuple(place) for place in found["features"][1]["geometry"]["coordinates"][0]} == {
        *((75, 50), (175, 50), (175, 150), (75, 150)),
    }
    red, blue = (feature["properties"]["color"] for feature in found["features"])
    assert (red[0] > red[2], blue[0] < blue[2]) == (True, True)
    assert {feature["properties"]["name"] for feature in found["features"]} == {"GBM, svm; random weights"}
    assert about["of"] == "decision value"


def test_a_networks_tiles_say_that_probabilities_are_shared_out(tmp_path):
    known = {"patch_size_level0": 100, "level0_width": 500, "level0_height": 300}
    said = {"intercept": 0.0, "confidence": 0.25, "of": "probability"}
    heat = heat_file(tmp_path / "s.h5", [[0, 0], [100, 0]], [0.5, -0.25], said, **known)
    assert list(write_qupath({"s": heat}, tmp_path, method="net")) == ["s"]
    found = written(tmp_path, "s")
    values = [one["properties"]["measurements"]["Patch confidence"] for one in found["features"]]
    assert (values, found["slidecaf"]["of"], found["slidecaf"]["confidence"]) == ([1.0, -0.5], "probability", 0.25)


def test_places_count_from_the_corner_of_the_slides_bounds(tmp_path):
    known = {"patch_size_level0": 100, "level0_width": 500, "level0_height": 300, "bounds": (50, 20, 400, 200)}
    heat = heat_file(tmp_path / "s.h5", [[75, 50]], [0.5], **known)
    list(write_qupath({"s": heat}, tmp_path, method="svm"))
    corners = np.array(written(tmp_path, "s")["features"][0]["geometry"]["coordinates"][0])
    assert corners.min(axis=0).tolist() == [25, 30]
    assert corners.max(axis=0).tolist() == [125, 130]


def test_a_slide_without_patches_has_a_file_without_tiles(tmp_path):
    list(write_qupath({"s": heat_file(tmp_path / "s.h5", [], [])}, tmp_path, method="svm"))
    assert written(tmp_path, "s")["features"] == []


@pytest.fixture
def study():
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    features = {"cnn": {"tiling": {"patch_size": 64, "stride": 64}, "encoder": encoder}}
    features["whole"] = {"tiling": "whole", "encoder": encoder}
    methods = {"svm": {"features": ["cnn"]}, "image": {"features": ["whole"]}}
    methods |= {"patches": {"kind": "network", "patches_of": "cnn"}, "images": {"kind": "network"}}
    config = check_config(
        {"features": features, "classification": {"sheet": "c.tsv", "positive": "GBM", "methods": methods}}
    )
    rows = [Row(2, name, f"{name}.svs", name, "train", None, None, label="GBM") for name in ("b", "a")]
    return Study(config, rows, [], ["LGG", "GBM"])


def test_slides_without_a_heat_map_are_named(study, tmp_path):
    with pytest.raises(SlidecafError, match="holds no heat map; run the study first"):
        explained_slides(study, tmp_path, "svm")
    path = heat_file(tmp_path / "results/classification/svm/heatmap/b.h5", [], [])
    assert explained_slides(study, tmp_path, "svm") == ({"b": path}, {"a": "no heat map"})


@pytest.mark.parametrize("method", ["image", "images", "none"])
def test_a_method_without_heat_maps_is_refused_with_those_that_have_one(study, tmp_path, method):
    with pytest.raises(SlidecafError, match=f"'{method}' is no method with heat maps.*write one of: svm, patches"):
        explained_slides(study, tmp_path, method)
