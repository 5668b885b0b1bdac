"""Kind ``network``: what a part learns from, what it writes, and what it says where that cannot be."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification import network
from slidecaf.classification.network import decide_network, fit_network, log_odds, together
from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.study.config import classification_method
from slidecaf.tiles.batch import tile_slides
from slidecaf.training import checkpoint
from slidecaf.training.crops import Crop
from slidecaf.training.file import read_tensors

COLOURS = {"red": (230, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 230)}
FILES = ("choice.json", "selection.tsv", "model.json", "inner.tsv", "network.safetensors", "curves.tsv")


@pytest.fixture
def study(tmp_path):
    """Images of three colours, 6 each of 3 patients, in three folds; and a function that fits and decides a part."""
    return _Study(tmp_path)


class _Study:
    def __init__(self, folder):
        self.folder, self.rows, self.paths, self.tiles = folder, [], {}, None
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
        settings = classification_method({"kind": "network", **given})
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
            tiles=self.tiles,
        )
        return made

    def cut(self):
        """Lay patches of 20 px over all images: four each."""
        tile_slides(
            self.folder / "tiles/batch-0.tsv",
            self.slides,
            {"tiling": {"patch_size": 20, "stride": 20}, "revision": {}, "versions": {}},
            paths=self.paths,
            limits={"max_megapixels": 1, "max_decoded_megapixels": 1},
            on_bad_slide="exclude",
        )
        self.tiles = {slide: self.folder / f"tiles/{slide}.h5" for slide in self.slides}

    def bytes(self, **settings):
        made = self.fit(**settings)
        return {name: (made / name).read_bytes() for name in FILES}

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
            tiles=self.tiles,
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
    first = study.bytes()
    for row in study.rows:
        if row["fold"] == 0:
            row["label"] = "red"
            Image.new("RGB", (20, 20)).save(study.paths[row["slide"]])
            study.slides[row["slide"]] = {**study.slides[row["slide"]], "digest": "another"}
    assert study.bytes() == first


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


PATCHES = {"patches_of": "squares", "patches_per_slide": 3}


def test_a_network_on_patches_decides_on_slides_by_all_of_them(study):
    study.cut()
    made = study.fit(**PATCHES)
    rows = study.decide()
    assert len(rows) == 6
    assert {(row["patches"], row["status"]) for row in rows} == {("4", "ok")}
    inner, choice = read_tsv(made / "inner.tsv"), read_json(made / "choice.json")
    assert len(inner) == choice["n"] == 6  # slides, and not patches
    _, said = read_tensors(made / "network.safetensors")
    assert said["images"] == {row["slide"]: f"digest of {row['slide']}" for row in study.rows if row["fold"] != 0}
    settings = read_json(made / "model.json")["settings"]
    assert {key: settings[key] for key in PATCHES} == PATCHES


def test_slides_left_out_and_their_labels_change_no_byte_of_a_network_on_patches(study):
    study.cut()
    first, decided = study.bytes(**PATCHES), [row for row in study.decide() if row["slide"] == "red-0"]
    for row in study.rows:
        if row["fold"] == 0 and row["slide"] != "red-0":
            row["label"] = "red"
            Image.new("RGB", (200, 60)).save(study.paths[row["slide"]])
            study.slides[row["slide"]] = {**study.slides[row["slide"]], "digest": "another"}
    study.cut()
    assert study.bytes(**PATCHES) == first
    assert [row for row in study.decide() if row["slide"] == "red-0"] == decided
    # and a patch of a slide that is learned from does
    with Image.open(study.paths["red-2"]) as opened:
        opened.transpose(Image.Transpose.ROTATE_180).save(study.paths["red-2"])
    assert study.bytes(**PATCHES)["network.safetensors"] != first["network.safetensors"]


def test_a_slide_without_a_patch_is_left_out_and_has_no_decision(study):
    study.paths["red-0"].write_bytes(b"no picture")
    study.paths["red-2"].write_bytes(b"no picture")
    study.cut()
    made = study.fit(**PATCHES)
    assert read_json(made / "choice.json")["left_out"] == ["red-2"]
    row = next(row for row in study.decide() if row["slide"] == "red-0")
    assert (row["predicted"], row["patches"], row["status"]) == ("", "0", "unreadable")


TWO = {"kind": "cam-two-stage", "architecture": "custom-cnn", "head": "own", "epochs": 2}


def test_two_stages_write_one_decision_and_what_each_says(study):
    study.fit(**TWO)
    rows = study.decide()
    one, two = ([[float(row[f"stage_{k}_confidence_{label}"]) for label in COLOURS] for row in rows] for k in (1, 2))
    both = [[float(row[f"confidence_{label}"]) for label in COLOURS] for row in rows]

    def probability(confidences):
        return 1 / (1 + np.exp(-np.array(confidences)))

    np.testing.assert_allclose(probability(both), (probability(one) + probability(two)) / 2, rtol=1e-9)
    assert not np.allclose(one, two)
    for row in rows:
        x, y, width, height = (int(row[f"crop_{key}"]) for key in ("x", "y", "width", "height"))
        assert 0 <= x < x + width <= 50
        assert 0 <= y < y + height <= 40
    curves = read_tsv(study.folder / "fold-0/curves.tsv")
    assert [(row["stage"], row["epoch"]) for row in curves] == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    choice = read_json(study.folder / "fold-0/choice.json")
    assert {"epoch", "learning_rate", "stage_2_epoch", "stage_2_learning_rate"} < set(choice["chosen"])
    assert [one["stage"] for one in choice["candidates"]] == [1, 2]
    # what probabilities are fitted to is decided in the same way
    assert len(read_tsv(study.folder / "fold-0/inner.tsv")) == choice["n"]
    study.fit("fold-1", **TWO, decides="second")
    for row in study.decide("fold-1"):
        assert all(row[f"confidence_{label}"] == row[f"stage_2_confidence_{label}"] for label in COLOURS)


def test_the_first_stage_is_a_network_trained_alone_and_the_second_goes_on_from_it(study):
    same = {**TWO, "augment": None}
    two, _ = read_tensors(study.fit(**same) / "network.safetensors")
    alone, _ = read_tensors(study.fit("fold-0", **{**same, "kind": "network"}) / "network.safetensors")
    assert set(two) == {f"stage-{k}.{key}" for key in alone for k in (1, 2)}
    assert all(np.array_equal(two[f"stage-1.{key}"], value) for key, value in alone.items())
    # a rate of next to nothing leaves the second where it began
    slow, _ = read_tensors(study.fit(**same, learning_rate=[1e-12], weight_decay=0) / "network.safetensors")
    first, second = (slow[f"stage-{k}.output.weight"] for k in (1, 2))
    np.testing.assert_allclose(second, first, atol=1e-9)


def test_a_second_stage_sees_what_the_first_of_its_part_looks_at_alone(study, monkeypatch):
    read, asked = study_images(monkeypatch)
    study.fit(**TWO)
    left_out = {row["slide"] for row in study.rows if row["fold"] == 0}
    assert not left_out & set(asked)
    assert len(read) >= 2
    before = [row for row in study.decide() if row["slide"] == "red-0"]
    # neither labels nor images of other rows that were left out reach a decision
    for row in study.rows:
        if row["fold"] == 0 and row["slide"] != "red-0":
            row["label"] = "red"
            Image.new("RGB", (20, 20)).save(study.paths[row["slide"]])
    assert [row for row in study.decide() if row["slide"] == "red-0"] == before


def study_images(monkeypatch):
    """Keep which images are read as parts, and which at all."""
    real, read, asked = network.Images, [], []

    def images(wanted, *args, boxes=None, **further):
        asked.extend(wanted)
        if boxes:
            read.append(boxes)
        return real(wanted, *args, boxes=boxes, **further)

    monkeypatch.setattr(network, "Images", images)
    return read, asked


def test_labels_and_images_left_out_change_no_byte_of_two_stages(study):
    first = study.bytes(**TWO)
    for row in study.rows:
        if row["fold"] == 0:
            row["label"] = "red"
            Image.new("RGB", (20, 20)).save(study.paths[row["slide"]])
            study.slides[row["slide"]] = {**study.slides[row["slide"]], "digest": "another"}
    assert study.bytes(**TWO) == first


@pytest.mark.parametrize("written", [1, 2, 3])
def test_two_stages_go_on_where_they_were_killed(study, monkeypatch, written):
    undisturbed = study.bytes(**TWO)
    write, epochs = checkpoint.Checkpoint.write, []

    def killed(self, state):
        write(self, state)
        epochs.append(self.path.name)
        if len(epochs) == written:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoint, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        study.fit(**TWO)
    made = study.folder / "fold-0"
    assert {path.name for path in made.glob(".checkpoint*")} == set(epochs)
    assert study.bytes(**TWO) == undisturbed
    # no epoch was run twice
    assert len(epochs) == 4
    assert not list(made.glob(".checkpoint*"))


def test_an_image_in_which_nothing_speaks_for_a_class_is_taken_whole(study, monkeypatch, caplog):
    study.fit(**TWO)
    monkeypatch.setattr(network, "look", lambda net, squares, sizes, **how: _nothing(squares, sizes))
    rows = study.decide()
    assert f"in {len(rows)} of {len(rows)} images no region speaks for the class" in caplog.text
    assert {tuple(row[f"crop_{key}"] for key in ("x", "y", "width", "height")) for row in rows} == {
        ("0", "0", "50", "40")
    }


def _nothing(squares, sizes):
    return [Crop((0, 0, *size), True) for size in sizes], np.zeros((len(squares), 3))


def test_two_stages_together_have_the_mean_probability():
    first, second = np.random.default_rng(0).normal(0, 3, (2, 5, 3))
    softmax = [np.exp(one) / np.exp(one).sum(axis=1, keepdims=True) for one in (first, second)]
    np.testing.assert_allclose(np.exp(together(first, second)), (softmax[0] + softmax[1]) / 2)
