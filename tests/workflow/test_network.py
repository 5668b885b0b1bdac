"""A network trained here is a method among others: its files, what runs again, and what is refused."""

import pytest
from PIL import Image

from slidecaf.files.tables import read_json, read_tsv
from tests.workflow.conftest import accepted

pytestmark = pytest.mark.long

TOP = "results/classification/cnn"


def test_it_runs_to_scores_and_says_what_the_contract_asks(trained):
    assert trained.planned(shown=True) == {}
    rows = read_tsv(trained / f"{TOP}/predictions.tsv")
    assert all((float(row["confidence"]) > 0) == (row["predicted"] == "GBM") for row in rows)
    assert {row["patches"] for row in rows} == {"1"}
    assert all(0 < float(row["probability"]) < 1 for row in rows)
    choice = read_json(trained / f"{TOP}/final/choice.json")
    curves = read_tsv(trained / f"{TOP}/final/curves.tsv")
    losses = [float(row["validation_loss"]) for row in curves]
    assert choice["chosen"] == {
        "architecture": "squeezenet1_1",
        "learning_rate": 0.001,
        "epoch": 1 + losses.index(min(losses)),
    }
    assert not list((trained / TOP).rglob("*.checkpoint"))
    maps = {row["slide"]: row for row in read_tsv(trained / f"{TOP}/maps.tsv")}
    assert {row["slide"]: row["predicted"] for row in rows} == {slide: row["class"] for slide, row in maps.items()}
    assert {row["kind"] for row in maps.values()} == {"grad-cam"}
    assert read_tsv(trained / "results/classification/comparison.tsv")[0]["kind"] == "network"
    page = (trained / "results/report.html").read_text()
    assert "squeezenet1_1 as implemented in torchvision" in page
    assert all(f"Training, {key}" in page for key in ("loss", "accuracy"))
    assert "gradients of the class predicted (Grad-CAM" in page
    assert "Maps of every class" in page
    log = (trained / "results/logs/network/cnn/final.log").read_text()
    assert "epoch 2 of 2: loss " in log
    assert "images a second, at most" in log
    accepted(trained)


def test_what_changes_trains_again_and_what_does_not_does_not(trained, tmp_path):
    study = trained.copy(tmp_path / "study")
    study.config(lambda c: c["classification"]["methods"]["cnn"].update(epochs=1))
    planned = study.planned()
    assert (planned["network"], planned["network_decisions"], planned["folds"]) == (3, 3, 0)
    study.config(lambda c: c["classification"]["methods"]["cnn"].update(epochs=2, schedule="cosine"))  # the default
    study.config(lambda c: c.update(threads=2, memory=4, slides_per_job=3))
    assert study.planned()["network"] == 0
    with Image.open(study / "slides/gbm-1.png") as opened:
        opened.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(study / "slides/gbm-1.png")
    assert study.planned()["network"] == 3


def test_an_image_that_cannot_be_read_is_named_or_left_out_and_counted(trained, tmp_path):
    study = trained.copy(tmp_path / "study")
    (study / "slides/gbm-2.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    failed = study.run(f"{TOP}/final/network.safetensors")
    assert failed.returncode != 0
    assert "images cannot be read (gbm-2); mend" in failed.stdout + failed.stderr
    study.config(lambda c: c.update(on_bad_slide="exclude"))
    study.judge("--resources", "gpu=2")
    rows = {row["slide"]: row for row in read_tsv(study / f"{TOP}/predictions.tsv")}
    assert (rows["gbm-2"]["predicted"], rows["gbm-2"]["status"], rows["gbm-2"]["patches"]) == ("", "unreadable", "0")
    assert read_json(study / f"{TOP}/fold-1/choice.json")["left_out"] == ["gbm-2"]
    scores = read_json(study / f"{TOP}/scores.json")["cross_validation"]
    assert scores["n"] == 8
    assert scores["correct"] <= 7


def test_a_network_that_is_not_the_models_is_refused(trained, tmp_path):
    study = trained.copy(tmp_path / "study")
    one, other = (study / f"{TOP}/fold-{k}/network.safetensors" for k in (0, 1))
    one.write_bytes(other.read_bytes())
    (study / f"{TOP}/fold-0/decisions.tsv").unlink()
    failed = study.run("--until", "network_decisions")
    assert failed.returncode != 0
    assert "fold-0/network.safetensors is not the network that model.json tells of" in failed.stdout + failed.stderr


def test_what_does_not_go_together_is_refused_before_anything_runs(trained, tmp_path):
    study = trained.copy(tmp_path / "study")
    changed = {"architecture": "resnet18", "grey": True, "weights": "none.pth"}
    study.config(lambda c: c["classification"]["methods"]["cnn"].update(changed))
    refused = study.snakemake("-n")
    assert refused.returncode != 0
    assert "cnn.grey: true is for custom-cnn, and resnet18 takes images in colour" in refused.stderr
    assert "cnn.weights: there is no file 'none.pth'" in refused.stderr


def test_two_stages_stand_beside_one_in_every_table(trained, tmp_path):
    study = trained.copy(tmp_path / "study")
    two = {"kind": "cam-two-stage", "architecture": "custom-cnn", "head": "own", "input_size": 32, "epochs": 2}
    two |= {"batch_size": 4, "validation": 2, "optimiser": "sgd", "learning_rate": [0.01]}
    study.config(lambda c: c["classification"]["methods"].update(two=two))
    study.finish()
    assert study.planned(shown=True) == {}
    methods = read_tsv(study / "results/classification/comparison.tsv")
    assert [row["kind"] for row in methods] == ["network", "cam-two-stage"]
    assert all(float(row["seconds"]) > 0 for row in methods)
    scores = read_json(study / "results/classification/two/scores.json")
    for part in ("cross_validation", "test"):
        assert [row["stage"] for row in scores[part]["stages"]] == [1, 2]
        assert scores[part]["stages"][0]["n"] == scores[part]["n"]
    assert "stages" not in read_json(study / f"{TOP}/scores.json")["cross_validation"]
    rows = read_tsv(study / "results/classification/two/final/decisions.tsv")
    assert all(0 < int(row["crop_width"]) <= 160 and row["stage_1_confidence"] for row in rows)
    page = (study / "results/report.html").read_text()
    assert "Training, stage 2, loss" in page
    assert all(title in page for title in ("Stage by stage", "where it goes wrong", "Trainings side by side, loss"))
    maps = read_tsv(study / "results/classification/two/maps.tsv")
    assert len(maps) == len(read_tsv(study / "results/classification/two/predictions.tsv"))
    accepted(study)
