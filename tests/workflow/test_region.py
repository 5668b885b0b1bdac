"""A region of interest in a study's sheet, and a network of timm in its config: what reruns, and what does not."""

import json
from collections import Counter

import numpy as np
import pytest

from slidecaf.features.file import open_features
from slidecaf.files.tables import read_tsv
from slidecaf.tiles.file import read_region, read_tiles
from tests.workflow.test_caching import DESCRIBED, any_slide, classifiers


def with_region(study, slide, right):
    """Write a region that ends at some column of px, and name it in a column of the sheet."""
    ring = [[0, 0], [right, 0], [right, 2000], [0, 2000], [0, 0]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    (study / "roi.geojson").write_text(json.dumps([{"type": "Feature", "properties": {}, "geometry": geometry}]))

    def column(text):
        header, *lines = text.splitlines()
        if header.endswith("\troi"):
            return text
        lines = ["\t".join([line, "roi.geojson" if line.split("\t")[0] == slide else ""]) for line in lines]
        return "\n".join([f"{header}\troi", *lines]) + "\n"

    study.sheet(column)


@pytest.mark.long
def test_a_region_of_interest_limits_its_slide_and_no_other_is_computed_again_nor_learns_of_it(study):
    slide = any_slide(study)
    with_region(study, "no slide", 300)
    assert study.planned() == Counter()  # a column without an entry
    study.sheet(lambda text: "\n".join(line.rpartition("\t")[0] for line in text.splitlines()) + "\n")
    with_region(study, slide, 300)
    chain = {"tiles": 2, "features": 2, "pooling": 2, **DESCRIBED, **classifiers(study)}
    assert study.planned() == chain
    before = study.bytes()
    study.finish()
    after = study.bytes()
    changed = {path for path in before if before[path] != after[path]}
    tops = ("results/tiles/", "results/features/")
    assert {path for path in changed if path.startswith(tops) and path.endswith(".h5")} == {
        f"results/{kind}/{name}/{slide}.h5" for kind in ("tiles", "features") for name in SETS
    }
    for name, size in SETS.items():
        path = study / f"results/tiles/{name}/{slide}.h5"
        coords, _ = read_tiles(path)
        assert len(coords)
        assert (coords[:, 0] + size / 2 < 300).all()
        assert {*map(tuple, coords)} <= {*map(tuple, read_region(path))}
        with open_features(study / f"results/features/{name}/{slide}.h5") as file:
            assert file["coords"][:].tolist() == coords.tolist()
    folds = {row["slide"]: row["fold"] for row in read_tsv(study / "results/classification/svm-cnn/folds.tsv")}
    own = {"choice.json", "selection.tsv", "model.json", "inner.tsv"}
    for part in ("fold-0", "fold-1", "final"):
        files = {f"results/classification/svm-cnn/{part}/{name}" for name in own}
        assert files <= set(before)
        # what never saw the slide stays as it is, and what learns from it does not
        assert bool(files & changed) == (part != f"fold-{folds[slide]}"), part
    said = f'slide {slide}</td><td class="warning text">looked at in its region of interest alone'
    assert said in (study / "results/report.html").read_text()
    with_region(study, slide, 290)
    assert set(study.planned()) == set(chain)
    with_region(study, slide, 300)
    assert not study.planned()["tiles"]


SETS = {"cnn-224": 224, "cnn-160": 160}


@pytest.mark.long
def test_a_network_of_timm_is_a_feature_set_like_any_other_and_others_are_not_computed_again(study):
    encoder = {"model": "timm/vit_small_patch14_dinov2", "layer": "class+mean", "weights": "random:0"}
    encoder["model_args"] = {"img_size": 28, "depth": 1}

    def add(config):
        config["features"]["vit"] = {"tiling": {"patch_size": 224, "stride": 224}, "encoder": encoder}
        method = {"features": ["vit"], "norm": [1], "keep": [20], "C": [1]}
        config["classification"]["methods"]["vit"] = method

    study.config(add)
    planned = study.planned()
    assert (planned["tiles"], planned["features"]) == (len(study.batches()), len(study.batches()))
    study.finish("--until", "pooling", "encoder")
    said = json.loads((study / "results/encoders/vit.json").read_text())
    assert (said["dimension"], said["input_size"]) == (768, 28)
    assert (said["mean"], said["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with open_features(study / f"results/features/vit/{any_slide(study)}.h5") as file:
        assert file["features"].attrs["input_size"] == 28
        assert np.isfinite(file["features"][:]).all()
        assert (file["features"][:] < 0).any()
    study.config(lambda config: config["classification"]["methods"]["vit"].update(norm=[3]))
    failed = study.run("--until", "pooling")
    assert failed.returncode
    assert "is negative" in failed.stdout + failed.stderr
    assert "take norm 1 or inf" in failed.stdout + failed.stderr
