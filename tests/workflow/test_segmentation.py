"""The segmentation through the workflow: what reruns, what leaks, what its files hold."""

import json
from collections import Counter

import h5py
import numpy as np
import pytest
import shapely
import tifffile
from PIL import Image

from slidecaf.files.tables import read_tsv
from slidecaf.segmentation.rasters import read_attributes
from tests.workflow.conftest import ACCEPTANCE_ABSENT, accepted

TOP = "results/segmentation/svm-cnn"
SLIDES = ["gbm-1", "gbm-2", "gbm-3"]


@pytest.fixture
def study(segmented, tmp_path):
    """A copy of the finished study."""
    return segmented.copy(tmp_path / "study")


def pixels(path):
    return np.asarray(Image.open(path))


def test_a_finished_study_has_nothing_to_do(study):
    assert "Nothing to be done" in study.finish().stderr
    assert study.planned(shown=True) == Counter()


def test_the_acceptance_check_passes(segmented):
    if not accepted(segmented):
        pytest.skip(ACCEPTANCE_ABSENT)


def test_scores_are_those_of_the_masks_and_the_files_are_as_large_as_the_slide(segmented):
    listed = {(row["slide"], row["variant"]): row for row in read_tsv(segmented / f"{TOP}/scores.tsv")}
    assert set(listed) == {(slide, variant) for slide in [*SLIDES, "gbm-4"] for variant in ("plain", "hard")}
    scores = json.loads((segmented / f"{TOP}/scores.json").read_text())
    for variant in ("plain", "hard"):
        found = []
        for slide in SLIDES:
            truth = pixels(segmented / f"masks/{slide}.png") > 0
            mask = pixels(segmented / f"{TOP}/{variant}/mask/{slide}.tif") > 0
            assert mask.shape == truth.shape == (500, 500)
            found.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
            assert float(listed[slide, variant]["score"]) == pytest.approx(found[-1], abs=1e-12)
            assert int(listed[slide, variant]["predicted_pixels"]) == mask.sum()
        assert scores[variant]["leave_one_out"]["score"] == pytest.approx(np.mean(found), abs=1e-12)
        assert scores[variant]["test"] is None  # the test row has no mask
        assert scores[variant]["caveats"] == ["random weights: the network was never trained"]
        assert listed["gbm-4", variant]["score"] == ""
        assert pixels(segmented / f"{TOP}/{variant}/overlay/gbm-4.jpg").shape[2] == 3


def test_the_mask_is_the_map_above_the_threshold_cleaned(segmented):
    from skimage.morphology import remove_small_holes, remove_small_objects

    chosen = json.loads((segmented / f"{TOP}/plain/fold-0/choice.json").read_text())["chosen"]
    values = tifffile.imread(segmented / f"{TOP}/plain/confidence/gbm-1.tif")
    described = read_attributes(segmented / f"{TOP}/plain/confidence/gbm-1.tif")
    assert values.dtype == np.float32
    assert described["threshold"] == chosen["threshold"]
    mask = values > np.float32(chosen["threshold"])
    mask = remove_small_objects(mask, max_size=max(0, chosen["min_object"] - 1))
    mask = remove_small_holes(mask, max_size=chosen["max_hole"])
    assert np.array_equal(mask, pixels(segmented / f"{TOP}/plain/mask/gbm-1.tif") > 0)


def test_the_comparison_says_whether_retraining_helped(segmented):
    compared = json.loads((segmented / f"{TOP}/comparison.json").read_text())
    listed = {(row["slide"], row["variant"]): row["score"] for row in read_tsv(segmented / f"{TOP}/scores.tsv")}
    difference = [float(listed[slide, "hard"]) - float(listed[slide, "plain"]) for slide in SLIDES]
    assert compared["leave_one_out"]["mean_difference"] == pytest.approx(np.mean(difference))
    assert compared["leave_one_out"]["verdict"] in segmented.said
    examples = read_tsv(segmented / f"{TOP}/hard_examples.tsv")
    assert {row["kind"] for row in examples} <= {"missed", "false"}
    assert len(examples) == compared["hard_examples"]["final"]["drawn"]


def test_outlines_are_annotations_for_qupath_and_rasterised_again_they_are_the_mask(study):
    study.config(lambda config: config["segmentation"].update(outline_tolerance=0))
    assert study.planned() == {"study": 1, "outlines": 4}
    study.judge()
    seen = 0
    for mask in sorted(study.folder.glob(f"{TOP}/*/mask/*.tif")):
        written = json.loads((mask.parents[1] / f"geojson/{mask.stem}.geojson").read_text())
        assert written["type"] == "FeatureCollection"
        assert written["slidecaf"]["slide"] == mask.stem
        assert written["slidecaf"]["caveats"] == ["random weights: the network was never trained"]
        polygons = [shapely.geometry.shape(feature["geometry"]) for feature in written["features"]]
        for feature, polygon in zip(written["features"], polygons, strict=True):
            assert feature["properties"]["objectType"] == "annotation"
            assert feature["properties"]["classification"]["name"] == "Necrosis"
            assert "random weights" in feature["properties"]["name"]
            measured = feature["properties"]["measurements"]
            assert measured["Confidence: mean"] <= measured["Confidence: max"]
            assert polygon.is_valid
            seen += 1
        y, x = np.indices((500, 500)) + 0.5
        drawn = np.zeros((500, 500), bool)
        for polygon in polygons:
            drawn |= shapely.contains_xy(polygon, x, y)
        np.testing.assert_array_equal(drawn, pixels(mask) > 0)
    assert seen


def own_files(study, slide, part):
    """Return all that stands upstream of a left-out slide's score."""
    files = {
        f"{variant}/{kind}": (study / f"{TOP}/{variant}/{kind}").read_bytes()
        for variant in ("plain", "hard")
        for kind in (
            f"{part}/model.h5",
            f"{part}/choice.json",
            f"confidence/{slide}.tif",
            f"mask/{slide}.tif",
        )
    }
    files["hard examples"] = (study / f"{TOP}/hard/{part}/hard_examples.tsv").read_bytes()
    files["folds"] = (study / f"{TOP}/folds.tsv").read_bytes()
    for other in SLIDES:  # the part's own column of each slide's maps
        for variant in ("plain", "hard"):
            with h5py.File(study / f"{TOP}/{variant}/maps/{other}.h5") as file:
                for number, values in file[part].items():
                    files[f"{variant}/{other}/{number}"] = values[:].tobytes()
    return files


def test_a_left_out_mask_touches_nothing_upstream_of_its_own_score(study):
    part = next(f"fold-{row['fold']}" for row in read_tsv(study / f"{TOP}/folds.tsv") if row["slide"] == "gbm-2")
    before, scores = own_files(study, "gbm-2", part), read_tsv(study / f"{TOP}/scores.tsv")
    elsewhere = (study / f"{TOP}/plain/final/model.h5").read_bytes()
    for kind in ("", "-hemorrhage"):
        mask = pixels(study / f"masks/gbm-2{kind}.png")
        Image.fromarray(255 - np.rot90(mask)).save(study / f"masks/gbm-2{kind}.png")
    study.judge()
    after = own_files(study, "gbm-2", part)
    assert len(before) == 2 * 4 + 2 + 3 * 2 * 2
    assert [name for name in before if before[name] != after[name]] == []
    # the mask does reach the models of the others, and its own score
    assert (study / f"{TOP}/plain/final/model.h5").read_bytes() != elsewhere
    own = [[row for row in rows if row["slide"] == "gbm-2"] for rows in (scores, read_tsv(study / f"{TOP}/scores.tsv"))]
    assert own[0] != own[1]


def method(**changes):
    return lambda config: config["segmentation"]["methods"]["svm-cnn"].update(changes)


def test_another_smallest_object_reruns_no_feature_and_no_svm(study):
    study.config(method(min_object=[500]))
    assert study.planned() == {"study": 1, "map_choice": 8, "segment": 4, "segmentation_scores": 1, "variants": 1} | {
        "outlines": 4
    }


def test_another_C_reruns_no_feature(study):
    study.config(method(C=[0.001]))
    planned = study.planned()
    assert planned["patch_svm"] == 2
    assert not {"tiles", "features", "labels", "left_out"} & set(planned)


def test_an_edited_mask_reruns_no_feature(study):
    mask = pixels(study / "masks/gbm-1.png").copy()
    mask[250:260, 250:260] ^= 255
    Image.fromarray(mask).save(study / "masks/gbm-1.png")
    planned = study.planned()
    assert (planned["labels"], planned["features"], planned["tiles"]) == (1, 0, 0)


@pytest.mark.long
def test_a_mask_for_the_test_row_gives_it_a_score_and_reruns_no_model(study):
    study_sheet = study / "segmentation.tsv"
    rows = study_sheet.read_text().splitlines()
    rows = [row.replace("gbm-4.png\t", "gbm-4.png\tmasks/gbm-4.png", 1) for row in rows]
    study_sheet.write_text("\n".join(rows) + "\n")
    assert study.planned() == {"labels": 1, "segment": 2, "segmentation_scores": 1, "variants": 1, "outlines": 2}
    study.judge()
    assert json.loads((study / f"{TOP}/scores.json").read_text())["plain"]["test"]["n"] == 1


def test_a_mask_of_another_size_is_an_error_that_names_its_row(study):
    Image.fromarray(np.zeros((500, 400), np.uint8)).save(study / "masks/gbm-3.png")
    done = study.run(study.manifest("labels/dense-96", "gbm-3"))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "row 4" in said
    assert "gbm-3" in said
    assert "400" in said


def test_masks_that_leave_nothing_to_learn_end_the_run_before_any_model(study):
    study.config(lambda config: config["segmentation"].update(mask_value=1))
    done = study.run("--until", "map_choice")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "segmentation.tsv, column mask: no px of its 3 training masks are foreground" in said
    assert "(values: 0, 255); correct segmentation.mask_value" in said
    assert not list(study.folder.glob(f"{TOP}/plain/*/model.h5"))


def test_a_stride_off_the_networks_places_fails_at_once_and_lists_strides_that_work(study):
    study.config(lambda config: config["features"]["dense-96"]["tiling"].update(stride=16))
    study.config(method(training_stride=48, hard_examples=None))
    done = study.run("results/encoders/dense-96.json")
    assert done.returncode != 0
    assert "write one of 24, 48, 72, 96" in done.stdout + done.stderr


def test_without_hard_examples_there_is_one_variant(study):
    study.config(method(hard_examples=None))
    study.judge()
    assert set(json.loads((study / f"{TOP}/scores.json").read_text())) == {"plain"}


@pytest.mark.long
def test_without_features_of_test_rows_their_maps_and_masks_are_the_same(study):
    before = {path.name: pixels(path) for path in study.folder.glob("results/segmentation/*/*/mask/*.tif")}
    maps = {path: pixels(path) for path in study.folder.glob("results/segmentation/*/*/confidence/*.tif")}
    study.config(lambda config: [chosen.update(store="train") for chosen in config["features"].values()])
    assert study.planned().keys() <= {
        "predict",
        "segment",
        "segmentation_scores",
        "variants",
        "outlines",
        "study",
        "all",
    }
    tested = {row["slide"] for row in read_tsv(study / "segmentation.tsv") if row["split"] == "test"}
    for path in study.folder.glob("results/features/*/*.h5"):
        if path.stem in tested:
            path.unlink()
    study.judge()
    assert not [path for path in study.folder.glob("results/features/*/*.h5") if path.stem in tested]
    assert {path.name: pixels(path) for path in study.folder.glob("results/segmentation/*/*/mask/*.tif")}.keys() == (
        before.keys()
    )
    for path, values in maps.items():
        np.testing.assert_allclose(pixels(path), values, atol=1e-3)


def test_two_patients_are_too_few_and_the_error_says_so(study):
    sheet = study / "segmentation.tsv"
    sheet.write_text("".join(line for line in sheet.open() if not line.startswith("gbm-3")))
    done = study.snakemake("-n")
    assert done.returncode != 0
    assert "at least three are needed" in done.stderr
