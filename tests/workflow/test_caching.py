"""A run does what has changed, and nothing else."""

import os
import re
import shutil
from collections import Counter

import numpy as np
from PIL import Image

from tests.workflow.conftest import Study

CLASSIFIERS = {"selection": 6, "svm": 6, "decisions": 6, "scores": 2, "comparison": 1}


def test_a_finished_study_has_nothing_to_do(finished):
    again = finished.finish()
    assert "Nothing to be done" in again.stdout + again.stderr
    assert finished.planned() == Counter()


def test_a_study_that_moved_has_nothing_to_do(study, tmp_path):
    moved = tmp_path / "elsewhere with spaces é"
    study.folder.rename(moved)
    assert Study(moved).planned() == Counter()


def test_touched_code_comments_and_docstrings_rerun_nothing(study, clone):
    study.root = clone
    for path in [
        *(clone / "src").rglob("*.py"),
        *(clone / "workflow").rglob("*.py"),
        *(clone / "workflow").rglob("*.smk"),
    ]:
        path.touch()
    module = clone / "src/slidecaf/tiling.py"
    module.write_text(module.read_text().replace('"""', '"""Anew. ', 1) + "\n# a comment\n")
    assert study.planned() == Counter()


def test_an_edit_of_the_svm_reruns_svms_and_scores_only(study, clone):
    study.root = clone
    with open(clone / "src/slidecaf/svm.py", "a") as file:
        file.write("\n_ANOTHER = 1\n")
    assert study.planned() == CLASSIFIERS


def test_an_edit_of_the_pooling_reruns_no_features(study, clone):
    study.root = clone
    path = clone / "workflow/scripts/pooling.py"
    path.write_text(path.read_text() + "\nDONE = True\n")
    assert study.planned() == {"pooling": 20, **CLASSIFIERS}


def slide_of(study, slide):
    return next((study / "slides").glob(f"{slide}.*"))


def any_slide(study):
    return next(iter(sorted((study / "slides").iterdir()))).stem


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
    assert study.planned() == {"tiles": 2, "features": 2, "pooling": 2, **CLASSIFIERS}
    assert study.planned_slides("features") == [slide, slide]


def test_a_new_training_slide_is_extracted_and_the_others_are_not(study):
    shutil.copy(slide_of(study, any_slide(study)), study / "slides/new.png")
    study.sheet(lambda text: text + f"new\t{'slides/new.png'}\tGBM\tp-new\ttrain\n")
    assert study.planned() == {"tiles": 2, "features": 2, "pooling": 2, "folds": 2, **CLASSIFIERS}
    assert set(study.planned_slides("tiles")) == {"new"}


def test_a_new_test_slide_reruns_no_model(study):
    shutil.copy(slide_of(study, any_slide(study)), study / "slides/new.png")
    study.sheet(lambda text: text + "new\tslides/new.png\t\tp-new\ttest\n")
    assert study.planned() == {"tiles": 2, "features": 2, "pooling": 2, "decisions": 2, "scores": 2, "comparison": 1}


def test_a_changed_patch_size_reruns_its_feature_set_only(study):
    study.config(lambda config: config["features"]["cnn-160"]["tiling"].update(patch_size=150))
    planned = study.planned()
    assert planned["tiles"] == planned["features"] == planned["pooling"] == 10
    # the method that does not use this feature set is left alone
    assert (planned["selection"], planned["scores"]) == (3, 1)
    assert planned["encoder"] == 0


def test_a_changed_C_reruns_no_pooling(study):
    study.config(lambda config: config["classification"]["methods"]["mean"].update(C=[2]))
    assert study.planned() == {
        "study": 1,
        "selection": 3,
        "svm": 3,
        "decisions": 3,
        "scores": 1,
        "comparison": 1,
    }


def test_threads_and_limits_rerun_no_slide(study):
    study.config(lambda config: config.update(threads=2, max_unreadable=0.5))
    assert study.planned() == {"study": 1}


def test_a_test_label_reruns_scores_only(study):
    study.sheet(lambda text: re.sub(r"LGG(\t[^\t]+\ttest)", r"GBM\1", text))
    assert study.planned() == {"scores": 2, "comparison": 1}


def test_deleted_results_are_made_again_with_the_same_bytes(study):
    before = study.bytes()
    shutil.rmtree(study / "results/classification/svm-cnn/fold-0")
    next((study / "results/pooled/cnn-224").iterdir()).unlink()
    study.finish()
    assert study.bytes() == before
