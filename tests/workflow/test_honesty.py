"""Nothing of a held-out patient reaches what judges it."""

import json
import shutil

import pytest
from safetensors import safe_open

from slidecaf.files.tables import read_tsv
from tests.workflow.conftest import ACCEPTANCE_ABSENT, accepted, fix_folds, read_sheet, turn_labels, write_sheet


def test_held_out_labels_change_no_upstream_file_of_their_fold(study):
    fix_folds(study)
    study.config(lambda c: c["classification"]["methods"].pop("mean"))
    study.judge()
    before = study.bytes()

    held_out = turn_labels(study)
    study.judge()
    after = study.bytes()

    upstream = [path for path in before if "/classification/" not in path or "/fold-0/" in path]
    assert sum("/svm-cnn/fold-0/" in path for path in upstream) == 5
    assert [path for path in upstream if before[path] != after[path]] == []
    explained = [f"results/classification/svm-cnn/heatmap/{row['slide']}.h5" for row in held_out]
    assert [path for path in explained if before[path] != after[path]] == []
    # the labels do reach the folds that learn from them, and the scores
    assert any(before[path] != after[path] for path in before if "/fold-1/" in path)
    assert before["results/classification/svm-cnn/scores.json"] != after["results/classification/svm-cnn/scores.json"]


@pytest.mark.long
def test_a_network_sees_neither_labels_nor_images_of_its_held_out_rows(trained, tmp_path):
    study = trained.copy(tmp_path / "study")
    before = study.bytes()
    folds = {row["slide"]: row["fold"] for row in read_tsv(study / "results/classification/cnn/folds.tsv")}
    for part in ("fold-0", "fold-1", "final"):
        with safe_open(study / f"results/classification/cnn/{part}/network.safetensors", "np") as file:
            seen = json.loads(file.metadata()["slidecaf"])["images"]
        assert sorted(seen) == sorted(slide for slide, fold in folds.items() if f"fold-{fold}" != part)
        assert all(len(digest) == 16 for digest in seen.values())
        told = {row["slide"] for row in read_tsv(study / f"results/classification/cnn/{part}/inner.tsv")}
        assert told
        assert told < set(seen)

    held_out = turn_labels(study)
    study.judge()
    after = study.bytes()
    upstream = [path for path in before if "/cnn/fold-0/" in path]
    assert len(upstream) == 7
    assert [path for path in upstream if before[path] != after[path]] == []
    for row in held_out:  # also drawn by the network that never saw them
        path = f"results/classification/cnn/maps/{row['slide']}.png"
        assert before[path] == after[path]
    for path in ("fold-1/network.safetensors", "final/network.safetensors", "scores.json"):
        path = f"results/classification/cnn/{path}"
        assert before[path] != after[path], path


def test_the_acceptance_check_passes(finished):
    if not accepted(finished):
        pytest.skip(ACCEPTANCE_ABSENT)


def test_predictions_and_scores_hold_what_the_files_contract_says(finished):
    top = finished / "results/classification/svm-cnn"
    rows = read_tsv(top / "predictions.tsv")
    assert list(rows[0])[:4] == ["slide", "patient", "split", "fold"]
    assert {"label", "predicted", "confidence", "patches", "status"} <= set(rows[0])
    assert {row["split"] for row in rows} == {"cv", "test"}
    assert all((float(row["confidence"]) > 0) == (row["predicted"] == "GBM") for row in rows)
    scores = json.loads((top / "scores.json").read_text())
    assert scores["caveats"] == ["random weights: the network was never trained"]
    assert any("below 10" in note for note in scores["cross_validation"]["notes"])
    choice = json.loads((top / "fold-0/choice.json").read_text())
    assert len(choice["candidates"]) == 2 * 2 * 2 * 2
    assert choice["inner_folds"] < choice["inner_folds_wanted"]
    assert "instead of" in choice["note"]


def test_random_weights_are_said_where_the_scores_are_printed(finished):
    assert "note: random weights" in finished.said
    assert "All results are in" in finished.said


@pytest.mark.long
def test_three_classes_run_to_scores(study):
    third = {"lgg-3": "low grade, other", "lgg-4": "low grade, other"}
    write_sheet(study, [{**row, "label": third.get(row["slide"], row["label"])} for row in read_sheet(study)])
    study.config(lambda c: c["classification"]["methods"].pop("svm-cnn"))  # too few patients to choose among candidates
    study.config(lambda c: c["classification"].pop("positive"))
    study.judge()
    scores = json.loads((study / "results/classification/mean/scores.json").read_text())
    assert scores["classes"] == ["GBM", "LGG", "low grade, other"]
    assert set(scores["cross_validation"]["auc_by_class"]) == set(scores["classes"])
    for row in read_tsv(study / "results/classification/mean/predictions.tsv"):
        confidence = {label: float(row[f"confidence_{label}"]) for label in scores["classes"]}
        assert row["predicted"] == max(confidence, key=confidence.get)


@pytest.mark.long
def test_copies_are_refused_or_left_out_listed_and_counted_nowhere(study):
    # a test slide that is also trained on, and a training slide under another patient
    shutil.copy(study / "slides/gbm-1.png", study / "slides/again.png")
    shutil.copy(study / "slides/lgg-2.png", study / "slides/twice.png")
    study.sheet(
        lambda text: text + "again\tslides/again.png\tGBM\tp-x\ttest\ntwice\tslides/twice.png\tLGG\tp-y\ttrain\n"
    )
    refused = study.snakemake("-n")
    assert refused.returncode == 1
    assert "slide 'again' is a copy of slide 'gbm-1' in row 2 and has another patient and split" in refused.stderr
    assert "slide 'twice' is a copy of slide 'lgg-2'" in refused.stderr

    before = study.bytes("tiles", "features", "pooled")
    study.config(lambda c: c.update(on_copies="exclude"))
    study.finish()
    assert study.bytes("tiles", "features", "pooled") == before
    rows = {row["slide"]: row for row in read_tsv(study / "results/classification/mean/predictions.tsv")}
    for slide, split in (("again", "test"), ("twice", "cv")):
        assert (rows[slide]["status"], rows[slide]["split"], rows[slide]["predicted"]) == ("copy", split, "")
    scores = json.loads((study / "results/classification/mean/scores.json").read_text())
    assert scores["copies"] == {"again": "gbm-1", "twice": "lgg-2"}
    assert scores["cross_validation"]["n"] + scores["test"]["n"] == len(rows) - 2
    assert "again of gbm-1, twice of lgg-2" in (study / "results/report.html").read_text()
    assert study.planned(shown=True) == {}
    accepted(study)
