"""MCIL stands beside the SVM on the same folds, and no label of a held-out slide reaches what judges it."""

import json

import h5py
import numpy as np
import pytest

from slidecaf.files.tables import read_tsv
from tests.workflow.conftest import accepted, read_sheet, turn_labels, write_sheet

pytestmark = pytest.mark.long

HELD_OUT = ["gbm-1", "gbm-2", "lgg-1", "lgg-2"]


def test_it_runs_beside_the_svm_and_says_what_the_contract_asks(boosted):
    assert boosted.planned(shown=True) == {}
    top = boosted / "results/classification/mcil"
    rows = {row["slide"]: row for row in read_tsv(top / "predictions.tsv")}
    told = [row for row in rows.values() if row["predicted"]]
    assert all((float(row["confidence"]) > 0) == (row["predicted"] == "GBM") for row in told)
    lost = rows["lgg-4"]
    assert (lost["predicted"], lost["confidence"], lost["patches"], lost["status"]) == ("", "", "0", "no tissue")
    assert json.loads((top / "fold-0/choice.json").read_text())["left_out"] == ["lgg-4"]
    compared = json.loads((boosted / "results/classification/comparison.json").read_text())
    assert "mcil" in json.dumps(compared)
    page = (boosted / "results/report.html").read_text()
    assert "multiple clustered instance learning" in page
    assert 'id="c-svm-mf-neurons"' in page
    assert 'id="c-mcil-neurons"' not in page
    accepted(boosted)


def test_every_slide_has_scores_and_clusters_of_its_patches(boosted):
    for row in read_tsv(boosted / "results/classification/mcil/predictions.tsv"):
        slide = row["slide"]
        with (
            h5py.File(boosted / f"results/classification/mcil/patches/{slide}.h5") as file,
            h5py.File(boosted / f"results/features/manual-160/{slide}.h5") as features,
        ):
            np.testing.assert_array_equal(file["coords"][:], features["coords"][:])
            score, cluster = file["score"][:], file["cluster"][:]
            assert len(score) == len(cluster) == int(row["patches"])
            assert np.isfinite(score).all()
            assert set(cluster) <= {0, 1}
            if row["predicted"] == "GBM":
                assert score.max() > 0  # a bag's mean is no larger than its largest patch


def test_held_out_labels_change_no_upstream_file_of_their_fold(boosted, tmp_path):
    study = boosted.copy(tmp_path / "study")
    before = study.bytes()
    turn_labels(study)
    turn_labels(study, fold="")  # of test rows
    study.judge()
    after = study.bytes()

    def judged(path):
        slide = path.rpartition("/")[2].removesuffix(".h5")
        return "/fold-0/" in path or ("/mcil/patches/" in path and slide in HELD_OUT)

    upstream = [path for path in before if "/classification/" not in path or judged(path)]
    assert sum("/mcil/fold-0/" in path for path in upstream) == 5
    assert sum("/mcil/patches/" in path for path in upstream) == len(HELD_OUT)
    assert [path for path in upstream if before[path] != after[path]] == []
    # the labels do reach the fold that learns from them, and the scores
    for path in ("mcil/fold-1/model.json", "mcil/patches/gbm-3.h5", "mcil/scores.json"):
        path = f"results/classification/{path}"
        assert before[path] != after[path], path


def test_a_label_of_a_test_row_changes_scores_only(boosted, tmp_path):
    study = boosted.copy(tmp_path / "study")
    rows = read_sheet(study)
    tested = next(row for row in rows if row["split"] == "test")
    tested["label"] = ""
    write_sheet(study, rows)
    assert study.planned() == {"scores": 2, "comparison": 1}


def test_what_changes_reruns_its_own_method_alone(boosted, tmp_path):
    study = boosted.copy(tmp_path / "study")
    study.config(lambda c: c["classification"]["methods"]["mcil"].update(rounds=5))
    planned = study.planned()
    assert planned["classifier"] == 3
    assert planned["patch_scores"] == len(study.batches())
    assert planned["pooling"] == planned["folds"] == planned["features"] == 0
    study.config(lambda c: c["classification"]["methods"]["mcil"].update(rounds=4))
    study.config(lambda c: c.update(threads=2, memory=4))
    assert study.planned() == {"study": 1}  # which says them
    (study / "results/classification/mcil/patches/gbm-1.h5").unlink()
    assert study.planned() == {"study": 1, "patch_scores": 1}


def test_three_classes_are_refused_before_anything_runs(boosted, tmp_path):
    study = boosted.copy(tmp_path / "study")
    rows = read_sheet(study)
    for row in rows:
        if row["slide"] in ("lgg-2", "lgg-3"):
            row["label"] = "other"
    write_sheet(study, rows)
    study.config(lambda c: c["classification"].pop("positive"))
    refused = study.snakemake("-n")
    assert refused.returncode != 0
    assert "classification.methods.mcil.kind: mcil tells two classes apart, and the sheet has 3" in refused.stderr


def test_patches_beyond_the_memory_are_an_error_that_says_what_to_set(boosted, tmp_path):
    study = boosted.copy(tmp_path / "study")
    study.config(lambda c: c.update(memory=0.00001))
    study.config(lambda c: c["classification"]["methods"]["mcil"].update(rounds=5))
    failed = study.run("--until", "classifier")
    assert failed.returncode != 0
    assert "GiB, and memory is 1e-05; raise memory in the config" in failed.stdout + failed.stderr


def test_an_unreadable_slide_is_left_out_where_that_is_asked_for(boosted, tmp_path):
    study = boosted.copy(tmp_path / "study")
    (study / "slides/gbm-2.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    study.config(lambda c: c.update(on_bad_slide="exclude"))
    study.judge()
    top = study / "results/classification/mcil"
    rows = {row["slide"]: row for row in read_tsv(top / "predictions.tsv")}
    assert (rows["gbm-2"]["predicted"], rows["gbm-2"]["status"]) == ("", "unreadable")
    # gbm-1 alone is left of its class where fold 1 is held out
    choice = json.loads((top / "fold-1/choice.json").read_text())
    assert (choice["n"], choice["left_out"]) == (3, ["gbm-2"])
    with h5py.File(top / "patches/gbm-2.h5") as file:
        assert len(file["score"]) == 0
