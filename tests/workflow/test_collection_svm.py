"""An image collection through the workflow: many classes, rare ones left out, candidates of the SVM, no leak."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf.files.tables import read_tsv, write_tsv
from tests.workflow.conftest import Study, accepted, mini_config

CLASSES = {"11-1": (200, 60, 60), "11-2": (170, 90, 60), "12-1": (60, 200, 60), "13-1": (60, 60, 200)}
"""Code to the colour that its images have, about."""


def config():
    settings = {"features": ["whole-64"], "norm": [1], "keep": ["all"], "C": [0.01, 1]}
    settings |= {"scale": ["none", "standard"], "class_weight": ["none", "balanced"], "choose_by": "balanced_accuracy"}
    encoder = mini_config()["features"]["cnn-224"]["encoder"]
    return {
        "threads": 1,
        "on_copies": "exclude",
        "features": {"whole-64": {"tiling": "whole", "encoder": encoder, "shards": 2}},
        "classification": {
            **{"sheet": "images.tsv", "folds": 2, "inner_folds": 2, "item_name": "image", "min_images": 4},
            "methods": {"one": settings, "rest": {**settings, "scheme": "one-vs-rest", "choose_by": "auc"}},
        },
    }


def write(study, rows):
    write_tsv(study / "images.tsv", list(rows[0]), rows, checked=False)


@pytest.fixture
def collection(tmp_path):
    """Nine images a class, three of them in test, a class with three, and one with a single image."""
    study, rng, rows = Study(tmp_path / "study"), np.random.default_rng(0), []
    (study / "images").mkdir(parents=True)
    for label, count in [*((name, 9) for name in CLASSES), ("14-1", 3), ("14-2", 1)]:
        for k in range(count):
            name = f"{label}-{k}"
            pixels = rng.normal(CLASSES.get(label, (120, 120, 120)), 40, size=(48, 60, 3)).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(study / f"images/{name}.png")
            test = k >= 6 or label == "14-2"
            rows.append(
                {
                    **{"image": name, "path": f"images/{name}.png", "label": label, "patient": f"p-{name}"},
                    **{"split": "test" if test else "train", "fold": "" if test else k % 2},
                }
            )
    write(study, rows)
    (study / "config.yaml").write_text(yaml.safe_dump(config(), sort_keys=False))
    return study, rows


def test_min_images_that_leaves_one_class_and_a_class_with_one_patient_end_the_plan(collection):
    study, _ = collection
    study.config(lambda c: c["classification"].update(min_images=10))
    refused = study.snakemake("-n")
    assert refused.returncode == 1
    assert "classification.min_images: 10 leaves no class, and two are needed" in refused.stderr
    study.config(lambda c: c["classification"].update(min_images=9, label_depth=3))
    refused = study.snakemake("-n")
    assert "'11-1' has 2 parts between '-', and classification.label_depth keeps 3" in refused.stderr
    assert "Traceback" not in refused.stderr
    study.config(lambda c: c["classification"].update(label_depth=1, min_images=None))
    study.config(lambda c: c["classification"].pop("label_depth"))
    refused = study.snakemake("-n")
    assert "'14-2' stands in test only" in refused.stderr


def test_check_says_which_classes_are_left_out_and_calls_rows_images(collection):
    study, _ = collection
    done = subprocess.run(
        [sys.executable, "-m", "slidecaf.cli", "check", str(study.folder), "--quick"],
        capture_output=True,
        text=True,
        env=study.environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "36 images: 24 train, 12 test, 36 patients, 9 11-1, 9 11-2, 9 12-1, 9 13-1" in done.stdout
    said = "images.tsv: classification.min_images: 4 leaves out 4 images of 2 classes: 14-1 (3), 14-2 (1)."
    assert said in done.stdout


@pytest.mark.long
def test_a_collection_runs_leaves_rare_classes_out_and_leaks_nothing(collection):
    study, rows = collection
    study.finish()
    assert study.planned(shown=True) == {}
    accepted(study)
    for method in ("one", "rest"):
        top = study / f"results/classification/{method}"
        predictions = read_tsv(top / "predictions.tsv")
        assert {row["slide"] for row in predictions} == {row["image"] for row in rows}
        rare = [row for row in predictions if row["status"] == "few images"]
        assert [row["slide"] for row in rare] == ["14-1-0", "14-1-1", "14-1-2", "14-2-0"]
        assert {(row["split"], row["predicted"], row["confidence_11-1"]) for row in rare} == {("", "", "")}
        scores = yaml.safe_load((top / "scores.json").read_text())
        assert scores["rare_classes"] == {"14-1": 3, "14-2": 1}
        assert list(scores["test"]["by_class"]) == scores["classes"] == list(CLASSES)
        assert scores["test"]["accuracy"] > 0.5
        choice = yaml.safe_load((top / "final/choice.json").read_text())
        assert len(choice["candidates"]) == 8
        assert choice["balanced_accuracy" if method == "one" else "auc"] > 0.5
    page = (study / "results/report.html").read_text()
    assert "Classes left out for having too few images, and counted nowhere: 14-1 (3), 14-2 (1)." in page
    assert "Every image" in page
    assert "Class by class" in page

    # labels of held-out rows reach nothing upstream
    before = study.bytes()
    turned = dict(zip(CLASSES, [*list(CLASSES)[1:], next(iter(CLASSES))], strict=True))
    for row in rows:
        if row["fold"] == 0:
            row["label"] = turned.get(row["label"], row["label"])
    write(study, rows)
    study.judge()
    after = study.bytes()
    upstream = [path for path in before if "/classification/" not in path or "/fold-0/" in path]
    assert [path for path in upstream if before[path] != after[path]] == []
    assert any(before[path] != after[path] for path in before if "/fold-1/" in path)

    # codes cut at a depth are learned from the same features
    study.config(lambda c: c["classification"].update(label_depth=1, min_images=5))
    study.config(lambda c: c["classification"]["methods"].pop("rest"))
    assert "whole_features" not in study.planned()
    study.judge()
    scores = yaml.safe_load((study / "results/classification/one/scores.json").read_text())
    assert (scores["classes"], scores["rare_classes"]) == (["11", "12", "13"], {"14": 4})
