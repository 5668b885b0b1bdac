"""A model handed on: the same bytes without the study, further slides alone, and what does not suit is refused."""

import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from slidecaf.files.tables import read_tsv
from slidecaf.running.lock import lock_study
from tests.workflow.conftest import ROOT, Study
from tests.workflow.test_graph_rlm import graphed  # noqa: F401  a fixture


def slidecaf(folder, *arguments):
    command = [sys.executable, "-m", "slidecaf.cli", *map(str, arguments)]
    environment = Study(folder).environment()
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=600)


def names_nobody(archive, study):
    """Make sure that no slide and no patient of a study is named in a model."""
    with zipfile.ZipFile(archive) as opened:
        content = b"".join(opened.read(name) for name in opened.namelist())
    for sheet in study.folder.glob("*.tsv"):
        for row in read_tsv(sheet):
            assert row["slide"].encode() not in content
            assert row["patient"].encode() not in content
    assert str(ROOT).encode() not in content


def handed_on(study, folder, method, *, slides):
    """Export a model, put slides into a folder of their own, and predict these without the study."""
    done = slidecaf(folder, "export", "model", study.folder, "--method", method, "--to", folder / "model.zip")
    assert done.returncode == 0, done.stderr
    names_nobody(folder / "model.zip", study)
    (folder / "new").mkdir()
    for slide in slides:
        shutil.copy(next((study / "slides").glob(f"{slide}.*")), folder / "new")
    done = slidecaf(folder, "predict", "model.zip", "new", "--to", "out", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return Study(folder / "out"), done


@pytest.mark.long
def test_slides_are_diagnosed_as_in_the_study_which_is_gone(finished, tmp_path):
    before = {row["slide"]: row for row in read_tsv(finished / "results/classification/svm-cnn/predictions.tsv")}
    tested = [slide for slide, row in before.items() if row["split"] == "test"]
    out, done = handed_on(finished, tmp_path, "svm-cnn", slides=tested)
    after = {row["slide"]: row for row in read_tsv(out / "results/classification/svm-cnn/predictions.tsv")}
    assert set(after) == set(tested)
    for slide in tested:
        same = ("predicted", "confidence", "probability", "patches", "status")
        assert [after[slide][key] for key in same] == [before[slide][key] for key in same]
    assert "Predicted" in done.stdout
    assert "random weights" in done.stdout
    page = (out / "results/report.html").read_text()
    assert "Random weights: the network was never trained" in page
    assert str(finished.folder) not in "".join(path.read_text(errors="replace") for path in out.folder.rglob("*.json"))
    checked = slidecaf(tmp_path, "check", "out", "--quick").stdout.splitlines()[0]
    assert checked == f"{len(tested)} slides to predict, {len(tested)} patients"
    # the same command again has nothing to do, a further slide is predicted alone
    again = slidecaf(tmp_path, "predict", "model.zip", "new", "--to", "out", "--cores", "2")
    assert again.returncode == 0, again.stderr
    assert "Nothing to be done" in again.stderr
    known = (out / f"results/features/cnn-224/{tested[0]}.h5", out / f"results/features/cnn-160/{tested[0]}.h5")
    features = next(path for path in known if path.is_file())
    made = features.stat().st_mtime_ns
    other = next(slide for slide, row in before.items() if row["split"] == "cv")
    shutil.copy(next((finished / "slides").glob(f"{other}.*")), tmp_path / "new")
    more = slidecaf(tmp_path, "predict", "model.zip", "new", "--to", "out", "--cores", "2")
    assert more.returncode == 0, more.stderr
    rows = read_tsv(out / "results/classification/svm-cnn/predictions.tsv")
    assert {row["slide"] for row in rows} == {*tested, other}
    assert features.stat().st_mtime_ns == made


@pytest.mark.long
def test_regions_are_mapped_as_in_the_study_which_is_gone(segmented, tmp_path):
    out, done = handed_on(segmented, tmp_path, "svm-cnn", slides=["gbm-4"])
    for variant in ("plain", "hard"):
        for kind in ("confidence", "mask"):
            path = f"results/segmentation/svm-cnn/{variant}/{kind}/gbm-4.tif"
            assert (out / path).read_bytes() == (segmented / path).read_bytes()
    assert "1 slides with a region" in done.stdout
    assert "Maps" in (out / "results/report.html").read_text()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("boosted", "mcil"),
        ("finished", "mean"),
        ("graphed", "graph-rlm"),
        ("trained", "cnn"),
        ("encoded", "fisher"),
        ("encoded", "foreground"),
    ],
)
def test_every_kind_decides_as_in_its_study(request, name, method, tmp_path):
    study = request.getfixturevalue(name)
    task = "segmentation" if name == "graphed" else "classification"
    tested = {"graphed": "gbm-4", "encoded": "gbm-7"}.get(name, "gbm-5")
    out, _ = handed_on(study, tmp_path, method, slides=[tested])
    if task == "segmentation":
        for kind in ("confidence", "mask"):
            path = f"results/segmentation/{method}/plain/{kind}/gbm-4.tif"
            assert (out / path).read_bytes() == (study / path).read_bytes()
        return
    path = f"results/classification/{method}/predictions.tsv"
    ours, theirs = ({row["slide"]: row for row in read_tsv(one / path)} for one in (out, study))
    for row in ours.values():
        same = ("predicted", "confidence", "probability", "patches", "status")
        assert [row[key] for key in same] == [theirs[row["slide"]][key] for key in same]


def test_a_model_names_no_slide_and_no_patient_and_is_the_same_file_twice(finished, tmp_path):
    for name in ("a.zip", "b.zip"):
        done = slidecaf(tmp_path, "export", "model", finished.folder, "--method", "svm-cnn", "--to", name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    names_nobody(tmp_path / "a.zip", finished)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"model.json", "classification"}


@pytest.mark.long
def test_labels_of_other_slides_are_for_scores_and_bad_slides_stop_no_others(finished, tmp_path):
    done = slidecaf(tmp_path, "export", "model", finished.folder, "--method", "mean", "--to", "model.zip")
    assert done.returncode == 0, done.stderr
    rows = [row for row in read_tsv(finished / "classification.tsv") if row["split"] == "test"]
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Image.fromarray(np.full((500, 500, 3), 255, np.uint8)).save(tmp_path / "glass.png")
    lines = ["slide\tpath\tlabel\tpatient"]
    lines += [f"{row['slide']}\t{finished.folder}/{row['path']}\t{row['label']}\tp" for row in rows]
    lines += ["bad\tbad.png\t\tq", "glass\tglass.png\t\tr"]
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    done = slidecaf(tmp_path, "predict", "model.zip", "sheet.tsv", "--to", "out", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {row["slide"]: row for row in read_tsv(tmp_path / "out/results/classification/mean/predictions.tsv")}
    assert (found["bad"]["status"], found["bad"]["confidence"]) == ("unreadable", "")
    assert found["glass"]["status"] == "no tissue"
    scores = json.loads((tmp_path / "out/results/classification/mean/scores.json").read_text())
    theirs = json.loads((finished / "results/classification/mean/scores.json").read_text())
    assert scores["cross_validation"] is None
    assert (scores["test"]["n"], scores["test"]["correct"]) == (theirs["test"]["n"], theirs["test"]["correct"])
    assert scores["test"]["brier"] == theirs["test"]["brier"]
    # a label that the model does not know, and a slide that would be learned from, are refused
    (tmp_path / "sheet.tsv").write_text(lines[0] + f"\nx\t{tmp_path}/glass.png\tXYZ\tp\n")
    done = slidecaf(tmp_path, "predict", "model.zip", "sheet.tsv", "--to", "out", "--cores", "2")
    assert done.returncode == 1
    assert "column label: 'XYZ' for slide 'x', and the model knows LGG, GBM" in done.stderr
    # while another run is at work there, its sheet stays as it is
    before = (tmp_path / "out/slides.tsv").read_bytes()
    with lock_study(tmp_path / "out"):
        done = slidecaf(tmp_path, "predict", "model.zip", "glass.png", "--to", "out", "--any-resolution")
    assert done.returncode == 1
    assert "another run is at work" in done.stderr
    assert (tmp_path / "out/slides.tsv").read_bytes() == before
