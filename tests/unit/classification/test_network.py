"""Kind ``network``: what a part learns from, what it writes, and what it says where that cannot be."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.network import decide_network, fit_network, log_odds
from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.study.config import ClassificationNetwork
from slidecaf.training.file import read_tensors

COLOURS = {"red": (230, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 230)}
FILES = ("choice.json", "selection.tsv", "model.json", "inner.tsv", "network.safetensors", "curves.tsv")


@pytest.fixture
def study(tmp_path):
    """Images of three colours, 6 each of 3 patients, in three folds; and a function that fits and decides a part."""
    return _Study(tmp_path)


class _Study:
    def __init__(self, folder):
        self.folder, self.rows, self.paths = folder, [], {}
        for label, colour in COLOURS.items():
            for k in range(6):
                slide = f"{label}-{k}"
                self.paths[slide] = folder / f"{slide}.png"
                noise = np.random.default_rng(k).integers(-30, 30, (40, 50, 3))
                Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(self.paths[slide])
                self.rows.append({"slide": slide, "label": label, "patient": f"{label}-p{k // 2}", "fold": k // 2})
        self.slides = {slide: {"digest": f"digest of {slide}", "mpp": None, "scene": ""} for slide in self.paths}
        self.write_folds()

    def write_folds(self):
        write_tsv(self.folder / "folds.tsv", ["slide", "patient", "fold"], self.rows)

    def fit(self, part="fold-0", *, classes=tuple(COLOURS), rows=None, **changed):
        given = {"input_size": 31, "epochs": 1, "batch_size": 6, "validation": 2, **changed}
        settings = ClassificationNetwork.model_validate({"kind": "network", **given})
        made = self.folder / part
        outputs = {name.split(".")[0]: made / name for name in FILES}
        fit_network(
            **outputs,
            checkpoint=made / ".checkpoint",
            folds=self.folder / "folds.tsv",
            part=part,
            rows=rows or self.rows,
            slides=self.slides,
            paths=self.paths,
            limits=None,
            classes=list(classes),
            settings=settings,
            seed=0,
            revision={"training": 1},
            method="cnn",
        )
        return made

    def decide(self, part="fold-0", **further):
        made = self.folder / part
        decide_network(
            made / "decisions.tsv",
            model=made / "model.json",
            network=made / "network.safetensors",
            folds=self.folder / "folds.tsv",
            part=part,
            slides=self.slides,
            paths=self.paths,
            limits=None,
            **further,
        )
        return read_tsv(made / "decisions.tsv")


@pytest.mark.parametrize("classes", [2, 4])
def test_log_odds_are_those_of_the_softmax(classes):
    logits = np.random.default_rng(0).normal(0, 3, (5, classes))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = np.log(odds / (1 - odds))
    np.testing.assert_allclose(log_odds(logits), wanted[:, 1] if classes == 2 else wanted)
    if classes > 2:
        assert (log_odds(logits).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_a_part_reads_its_training_images_alone_and_says_which(study):
    for row in study.rows:
        if row["fold"] == 0:
            study.paths[row["slide"]].unlink()  # it would be an error to open one
    made = study.fit()
    _, said = read_tensors(made / "network.safetensors")
    assert said["images"] == {row["slide"]: f"digest of {row['slide']}" for row in study.rows if row["fold"] != 0}
    inner = {row["slide"] for row in read_tsv(made / "inner.tsv")}
    patients = {row["patient"] for row in study.rows if row["slide"] in inner}
    # whole patients are held back, of every class
    assert inner == {row["slide"] for row in study.rows if row["patient"] in patients}
    assert {slide.split("-")[0] for slide in inner} == set(COLOURS)
    assert not (made / ".checkpoint").exists()
    choice = read_json(made / "choice.json")
    assert (choice["n"], choice["chosen"]["epoch"], choice["left_out"]) == (len(inner), 1, [])


def test_a_part_decides_on_what_it_left_out_and_the_last_one_on_test_slides(study):
    study.fit()
    rows = study.decide()
    assert [row["slide"] for row in rows] == sorted(row["slide"] for row in study.rows if row["fold"] == 0)
    for row in rows:
        confidence = {label: float(row[f"confidence_{label}"]) for label in COLOURS}
        assert row["predicted"] == max(confidence, key=confidence.get)
        assert (row["patches"], row["status"]) == ("1", "ok")
    study.fit("final")
    Image.new("RGB", (30, 30)).save(study.folder / "new.png")
    study.paths["new"], study.slides["new"] = study.folder / "new.png", study.slides["red-0"]
    assert [row["slide"] for row in study.decide("final", test=["new"])] == ["new"]
    assert study.decide("final") == []


def test_labels_of_the_rows_left_out_and_their_images_change_no_byte(study):
    first = {name: (study.fit() / name).read_bytes() for name in FILES}
    for row in study.rows:
        if row["fold"] == 0:
            row["label"] = "red"
            Image.new("RGB", (20, 20)).save(study.paths[row["slide"]])
            study.slides[row["slide"]] = {**study.slides[row["slide"]], "digest": "another"}
    assert {name: (study.fit() / name).read_bytes() for name in FILES} == first


def test_a_class_of_one_patient_holds_nothing_back(study, caplog):
    rows = [row for row in study.rows if row["label"] != "blue" or row["fold"] in (0, 1)]
    study.rows = rows
    study.write_folds()
    made = study.fit(epochs=2)
    assert "nothing is held back, and all 2 epochs are run" in caplog.text
    assert read_tsv(made / "inner.tsv") == []
    assert read_json(made / "choice.json")["chosen"]["epoch"] == 2
    with pytest.raises(
        SlidecafError, match=r"cnn: class blue has one patient .* can choose the learning_rate; write one"
    ):
        study.fit(learning_rate=[0.1, 0.01])


def test_training_rows_of_one_class_are_refused(study):
    study.rows = [row for row in study.rows if row["label"] == "red" or row["fold"] == 0]
    study.write_folds()
    with pytest.raises(SlidecafError, match="label 'green': none of its training slides has a patch"):
        study.fit()
    with pytest.raises(SlidecafError, match="all training rows have the label red"):
        study.fit(classes=["red"])


def test_a_loss_that_is_no_number_leaves_the_last_good_checkpoint(study):
    with pytest.raises(SlidecafError, match="cnn: with a learning rate of 1e"):
        study.fit(optimiser="sgd", learning_rate=[1e18], epochs=5, weight_decay=0)
    assert not (study.folder / "fold-0/model.json").exists()


def test_weights_stand_in_files_by_name_and_not_by_place(study):
    study.fit()
    made = study.folder / "fold-0/network.safetensors"
    again = study.fit("fold-1", weights=str(made))
    assert read_json(again / "model.json")["settings"]["weights"] == "network.safetensors"
    assert str(study.folder) not in (again / "network.safetensors").read_bytes().decode("latin-1")
    assert len(study.decide("fold-1")) == 6
