"""A run does what has changed, and nothing else."""

import json
import os
import re
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tests.dicom import write_slide
from tests.workflow.conftest import Study

# few jobs: what the networks are is read from the first features
DESCRIBED = {"encoder": 2, "study": 1}


def classifiers(study):
    """Return the jobs that follow where every model of both methods is made anew."""
    heatmaps = {"heatmap": 2 * len(study.batches())}
    return {"classifier": 6, "decisions": 6, **heatmaps, "scores": 2, "comparison": 1}


def test_a_finished_study_has_nothing_to_do(study):
    again = study.finish()
    assert "Nothing to be done" in again.stdout + again.stderr
    assert study.planned(shown=True) == Counter()


def test_a_study_that_moved_has_nothing_to_do(study, tmp_path):
    moved = tmp_path / "elsewhere with spaces é"
    study.folder.rename(moved)
    assert Study(moved).planned() == Counter()


def test_touched_and_reworded_code_reruns_nothing(study, clone):
    study.root = clone
    for path in [*(clone / "src").rglob("*.py"), *(clone / "workflow").rglob("*.py")]:
        path.touch()
    for module, said in {
        "files/atomic.py": "free some space there",
        "study/sheet_file.py": "the sheet holds no slide",
    }.items():
        path = clone / "src/slidecaf" / module
        text = path.read_text()
        assert said in text
        path.write_text(text.replace(said, "something else") + "\n_ANOTHER = 1\n")
    for path in (clone / "workflow").rglob("*.smk"):
        path.touch()
    assert study.planned(shown=True) == Counter()


def raise_revision(clone, package):
    path = clone / "src/slidecaf" / package / "__init__.py"
    text = path.read_text()
    assert "\nREVISION = 1\n" in text
    path.write_text(text.replace("\nREVISION = 1\n", "\nREVISION = 2\n"))


def test_a_raised_revision_of_the_classification_reruns_it_and_what_follows(study, clone):
    study.root = clone
    raise_revision(clone, "classification")
    assert study.planned() == {"study": 1, "folds": 2, **classifiers(study)}


def test_a_raised_revision_of_the_pooling_reruns_no_features(study, clone):
    study.root = clone
    raise_revision(clone, "pooling")
    assert study.planned() == {"study": 1, "pooling": 2 * len(study.batches()), **classifiers(study)}


def slide_of(study, slide):
    return next((study / "slides").glob(f"{slide}.*"))


def any_slide(study):
    return next(iter(sorted((study / "slides").iterdir()))).stem


def another_slide(study, name):
    """Draw a slide that is a mirror image of one that is there: a copy would be refused."""
    pixels = np.asarray(Image.open(slide_of(study, any_slide(study))).convert("RGB"))
    Image.fromarray(np.ascontiguousarray(pixels[:, ::-1])).save(study / f"slides/{name}.png")


def test_a_slide_copied_anew_reruns_nothing(study):
    for path in (study / "slides").iterdir():
        shutil.copy(path, study / "copy")
        path.unlink()
        (study / "copy").rename(path)
    assert study.planned() == Counter()


def test_a_slide_replaced_by_another_reruns_its_chain_even_if_older(study):
    slide = any_slide(study)
    path = slide_of(study, slide)
    pixels = np.asarray(Image.open(path).convert("RGB"))
    Image.fromarray(np.ascontiguousarray(pixels[::-1])).save(path)
    os.utime(path, (10**9, 10**9))
    assert study.planned() == {"tiles": 2, "features": 2, "pooling": 2, **DESCRIBED, **classifiers(study)}
    assert study.planned_slides("features") == sorted(2 * study.batches()[study.batch_of(slide)])


def test_a_slide_of_which_another_file_was_replaced_reruns_its_chain(study):
    slide = any_slide(study)
    pixels = np.asarray(Image.open(slide_of(study, slide)).convert("RGB"))
    path = write_slide(study / "slides/dicom", pixels).relative_to(study.folder)
    study.sheet(lambda text: text.replace(f"slides/{slide_of(study, slide).name}", str(path.parent / "level-2.dcm")))
    study.finish("--until", "tiles")  # the other level's file; both have a digest
    assert "tiles" not in study.planned()
    write_slide(study / "slides/dicom", np.ascontiguousarray(pixels[::-1]))
    assert study.planned()["tiles"] == 2


@pytest.mark.long
def test_a_new_training_slide_is_extracted_and_the_others_are_not(study):
    another_slide(study, "new")
    study.sheet(lambda text: text + f"new\t{'slides/new.png'}\tGBM\tp-new\ttrain\n")
    made = {"tiles": 2, "features": 2, "pooling": 2, "folds": 2}
    assert study.planned() == {**made, **DESCRIBED, **classifiers(study)}
    assert {*study.planned_slides("tiles")} == {*study.batches()[study.batch_of("new")]}
    made = {path: path.stat().st_ino for path in study.folder.glob("results/tiles/*/*.h5")}
    study.finish("--until", "tiles")
    assert {path: path.stat().st_ino for path in made} == made
    assert len(list(study.folder.glob("results/tiles/*/*.h5"))) == len(made) + 2


def test_a_new_test_slide_reruns_no_model(study):
    another_slide(study, "new")
    study.sheet(lambda text: text + "new\tslides/new.png\t\tp-new\ttest\n")
    made = dict.fromkeys(("tiles", "features", "pooling", "decisions", "heatmap", "scores"), 2)
    assert study.planned() == {**made, "comparison": 1}


def test_a_changed_patch_size_reruns_its_feature_set_only(study):
    study.config(lambda config: config["features"]["cnn-160"]["tiling"].update(patch_size=150))
    planned = study.planned()
    assert planned["tiles"] == planned["features"] == planned["pooling"] == len(study.batches())
    # the method that does not use this feature set is left alone
    assert (planned["classifier"], planned["scores"]) == (3, 1)
    assert (planned["encoder"], planned["study"]) == (1, 1)


def test_a_changed_C_reruns_no_pooling(study):
    study.config(lambda config: config["classification"]["methods"]["mean"].update(C=[2]))
    assert study.planned() == {
        "study": 1,
        "classifier": 3,
        "decisions": 3,
        "heatmap": len(study.batches()),
        "scores": 1,
        "comparison": 1,
    }


def test_threads_and_limits_rerun_no_slide(study):
    study.config(lambda config: config.update(threads=2, max_unreadable=0.5))
    assert study.planned() == {"study": 1}


def test_a_test_label_reruns_scores_only(study):
    study.sheet(lambda text: re.sub(r"LGG(\t[^\t]+\ttest)", r"GBM\1", text))
    assert study.planned() == {"scores": 2, "comparison": 1}


@pytest.mark.long
def test_deleted_results_are_made_again_with_the_same_bytes(study):
    before = study.bytes()
    shutil.rmtree(study / "results/classification/svm-cnn/fold-0")
    next((study / "results/pooled/cnn-224").glob("*.h5")).unlink()
    study.finish()
    assert study.bytes() == before
    assert study.planned(shown=True) == Counter()


@pytest.mark.long
def test_a_deleted_file_is_made_again_each_time_and_then_there_is_nothing_to_do(study):
    path = sorted((study / "results/tiles/cnn-160").glob("*.h5"))[0]
    content, slide = path.read_bytes(), path.stem
    for _ in range(2):  # the second time as the first
        path.unlink()
        said = study.snakemake("-n", "--until", "tiles")
        assert f"results/tiles/cnn-160/{slide}.h5 is gone; it is made again." in said.stderr
        assert study.planned_slides("tiles") == study.batches()[study.batch_of(slide)]
        study.finish("--until", "tiles")  # what follows has the same inputs as before
        assert path.read_bytes() == content
        assert study.planned(shown=True) == Counter()


@pytest.mark.long
def test_a_changed_file_is_seen_by_the_plan_and_made_again(study):
    path = sorted((study / "results/features/cnn-160").glob("*.h5"))[0]
    content, times = path.read_bytes(), path.stat()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 255
    path.write_bytes(damaged)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    said = study.snakemake("-n", "--until", "features")
    assert f"{path.relative_to(study.folder)} is not what a job wrote; it is made again." in said.stderr
    assert study.planned_slides("features") == study.batches()[study.batch_of(path.stem)]
    study.finish("--until", "features")
    assert path.read_bytes() == content


@pytest.mark.long
def test_other_batches_do_only_what_is_missing(study):
    study.config(lambda config: config["classification"]["methods"]["svm-cnn"].update(features=["cnn-224"]))
    study.config(lambda config: config["features"].pop("cnn-160"))
    kept = {path: path.stat().st_ino for path in study.folder.glob("results/*/cnn-224/*.h5")}
    encoders = study.bytes("encoders")
    study.config(lambda config: config.update(slides_per_job=1))
    assert len(study.batches()) > 8  # so that the network is looked at by a job of its own, once
    study.finish("--until", "pooling")
    assert {path: path.stat().st_ino for path in kept} == kept
    assert study.bytes("encoders") == encoders
    assert not {"tiles", "features", "pooling"} & set(study.planned())


@pytest.mark.long
def test_one_run_after_another_layer_writes_down_the_new_one(study):
    study.config(lambda config: config["features"]["cnn-160"]["encoder"].update(layer="classifier.1"))
    study.finish("--until", "study")
    written = json.loads((study / "results/encoders/cnn-160.json").read_text())
    assert (written["layer"], written["dimension"]) == ("classifier.1", 1000)
    assert "layer: classifier.1\n" in (study / "results/study.yaml").read_text()
