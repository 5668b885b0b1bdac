"""GraphRLM through the workflow: what it makes and needs not, what reruns, what leaks, bad slides."""

import json

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from slidecaf.files.tables import read_tsv
from slidecaf.study.kinds import SEGMENTATION_KINDS
from tests.workflow.conftest import ACCEPTANCE_ABSENT, accepted, made_once, make_mini
from tests.workflow.test_segmentation import pixels

pytestmark = pytest.mark.long

TOP = "results/segmentation/graph-rlm"
SLIDES = ["gbm-1", "gbm-2", "gbm-3"]


def config():
    """A method of kind graph-rlm alone; the feature set is there because a config has one, and no method uses it."""
    method = {"kind": "graph-rlm", "r_min": 3, "r_strel": 1, "win_size": 48, "comp_thr": [10, 40], "clusters": [2, 4]}
    return {
        "threads": 1,
        "features": {"unused": {"kind": "manual", "tiling": {"patch_size": 160, "stride": 160}}},
        "segmentation": {"sheet": "segmentation.tsv", "methods": {"graph-rlm": {**method, "inner_folds": 2}}},
    }


def make_graphed(folder):
    study = make_mini(folder, patients=3, config=config(), size=400)
    study.first_run = study.finish()
    return study


@pytest.fixture(scope="module")
def graphed(tmp_path_factory, worker_id):
    """A mini study that has been run. Copy it before you change it."""
    return made_once(make_graphed, "graphed", tmp_path_factory, worker_id)


@pytest.fixture
def study(graphed, tmp_path):
    return graphed.copy(tmp_path / "study")


def method(**changes):
    return lambda config: config["segmentation"]["methods"]["graph-rlm"].update(changes)


def test_it_needs_no_features_and_scores_are_those_of_the_masks(graphed):
    assert not graphed.planned(shown=True)
    assert {path.name for path in (graphed / "results").iterdir() if path.is_dir()} == {
        *("segmentation", "thumbnails", "logs", "benchmarks")
    }
    listed = {row["slide"]: row for row in read_tsv(graphed / f"{TOP}/scores.tsv")}
    assert set(listed) == {*SLIDES, "gbm-4"}
    assert {"clusters", "comp_thr", "dist_thr"} <= set(listed["gbm-1"])
    assert "C" not in listed["gbm-1"]
    for slide in listed:
        truth, mask = (pixels(graphed / path) > 0 for path in (f"masks/{slide}.png", f"{TOP}/plain/mask/{slide}.tif"))
        found = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
        assert float(listed[slide]["score"]) == pytest.approx(found, abs=1e-12)
        values = tifffile.imread(graphed / f"{TOP}/plain/confidence/{slide}.tif")
        assert values.shape == truth.shape
        assert -1 <= values.min() <= values.max() <= 1


def test_what_it_is_said_wherever_its_numbers_show(graphed):
    (caveat,) = SEGMENTATION_KINDS["graph-rlm"].caveats
    assert "reimplemented from the description" in caveat
    assert "best match on the training slides" in caveat
    assert json.loads((graphed / f"{TOP}/scores.json").read_text())["plain"]["caveats"] == [caveat]
    assert json.loads((graphed / f"{TOP}/plain/geojson/gbm-1.geojson").read_text())["slidecaf"]["caveats"] == [caveat]
    assert caveat in graphed.said
    page = (graphed / "results/report.html").read_text()
    assert caveat.capitalize() in page
    assert "segmented without labels by GraphRLM" in page
    assert "clusters (candidates 2, 4), comp_thr (candidates 10, 40), dist_thr (candidates 1.25)" in page


def test_the_acceptance_check_passes(graphed):
    if not accepted(graphed):
        pytest.skip(ACCEPTANCE_ABSENT)


def own_files(study, slide, part):
    """Return all that stands upstream of a left-out slide's score."""
    files = {path: (study / f"{TOP}/{path}").read_bytes() for path in ("folds.tsv", f"plain/{part}/clusters.json")}
    files |= {path: (study / f"{TOP}/plain/{path}").read_bytes() for path in (f"{part}/choice.json",)}
    files |= {kind: (study / f"{TOP}/plain/{kind}/{slide}.tif").read_bytes() for kind in ("confidence", "mask")}
    for other in SLIDES:
        files[f"regions/{other}"] = (study / f"{TOP}/regions/{other}.h5").read_bytes()
        with h5py.File(study / f"{TOP}/plain/maps/{other}.h5") as file:
            files |= {f"{other}/{number}": values[:].tobytes() for number, values in file[part].items()}
    return files


def test_a_left_out_mask_touches_nothing_upstream_of_its_own_score(study):
    part = next(f"fold-{row['fold']}" for row in read_tsv(study / f"{TOP}/folds.tsv") if row["slide"] == "gbm-2")
    before, elsewhere = own_files(study, "gbm-2", part), (study / f"{TOP}/plain/final/clusters.json").read_bytes()
    for kind in ("", "-hemorrhage"):
        mask = pixels(study / f"masks/gbm-2{kind}.png")
        Image.fromarray(255 - np.rot90(mask)).save(study / f"masks/gbm-2{kind}.png")
    assert study.planned()["regions"] == 0
    study.judge()
    after = own_files(study, "gbm-2", part)
    assert len(before) == 5 + 3 * (1 + 4)
    assert [name for name in before if before[name] != after[name]] == []
    assert (study / f"{TOP}/plain/final/clusters.json").read_bytes() != elsewhere


def test_a_setting_reruns_what_depends_on_it(study):
    study.config(method(min_object=[500]))
    said = {"study": 1, "map_choice": 4, "segment": 2, "segmentation_scores": 1, "outlines": 2}
    assert study.planned() == said
    study.config(method(clusters=[3]))
    assert study.planned() == said | {"region_models": 1, "region_maps": 2}
    study.config(method(comp_thr=[10]))
    planned = study.planned()
    assert (planned["regions"], planned["left_out"]) == (2, 0)


def test_settings_that_will_not_do_are_said_before_the_run(study):
    for changes, said in (
        ({"r_min": 0}, "segmentation.methods.graph-rlm.r_min: 0 will not do; write a whole number of px from 1"),
        ({"r_min": 3, "dist_thr": [-1]}, "dist_thr.0: -1 will not do; write a number above 0"),
        ({"dist_thr": [1], "comp_thr": [10, 10]}, "comp_thr: [10, 10] names a candidate twice"),
        ({"comp_thr": [10], "features": "unused"}, "graph-rlm.features: unknown key"),
        ({"kind": "graph"}, "graph-rlm.kind: 'graph' will not do"),
    ):
        study.config(method(**changes))
        refused = study.snakemake("-n")
        assert refused.returncode != 0
        assert said in refused.stdout + refused.stderr


def test_white_tiny_and_unreadable_slides_are_listed_and_cost_nothing_else(study):
    Image.fromarray(np.full((120, 130, 3), 255, np.uint8)).save(study / "slides/white.png")
    Image.fromarray(np.zeros((120, 130), np.uint8)).save(study / "masks/white.png")
    Image.open(study / "masks/gbm-1.png").crop((0, 0, 30, 20)).save(study / "masks/tiny.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(
        study / "slides/tiny.png"
    )
    (study / "slides/bad.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(study / "masks/bad.png")
    sheet = study / "segmentation.tsv"
    columns = sheet.read_text().splitlines()[0].split("\t")
    with open(sheet, "a") as file:
        for slide, split in (("white", "train"), ("bad", "train"), ("tiny", "test")):
            row = {"slide": slide, "path": f"slides/{slide}.png", "mask": f"masks/{slide}.png", "split": split}
            print(*({**row, "patient": f"p-{slide}"}.get(column, "") for column in columns), sep="\t", file=file)
    failed = study.run()
    assert failed.returncode != 0
    assert "slide bad: " in failed.stdout + failed.stderr
    study.config(lambda config: config.update(on_bad_slide="exclude"))
    study.judge()
    listed = {row["slide"]: row for row in read_tsv(study / f"{TOP}/scores.tsv")}
    assert {slide: listed[slide]["status"] for slide in ("white", "bad", "gbm-1")} == {
        **{"white": "no tissue", "bad": "unreadable", "gbm-1": "ok"}
    }
    assert (listed["bad"]["score"], listed["white"]["score"]) == ("0.0", "1.0")
    assert np.isnan(tifffile.imread(study / f"{TOP}/plain/confidence/white.tif")).all()
    assert tifffile.imread(study / f"{TOP}/plain/mask/tiny.tif").shape == (20, 30)
    assert not study.planned()
