"""Heat maps of networks on patches: each slide by the network that never saw it, and exactly its decision."""

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import expit

from slidecaf.classification.heatmap import read_heatmap
from slidecaf.classification.network import decide_network, fit_network, load_networks, open_pixels
from slidecaf.classification.network_heatmap import differences, write_network_heatmaps
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.patchwise import PatchReader
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.study.config import classification_method
from slidecaf.tiles.batch import tile_slides
from slidecaf.training.loop import logits_of
from tests.unit.batch_jobs import LIMITS, broken, done_twice, picture

COLOURS = {"green": (40, 200, 40), "red": (230, 40, 40), "blue": (40, 40, 230)}
FILES = ("choice.json", "selection.tsv", "model.json", "inner.tsv", "network.safetensors", "curves.tsv")
PARTS = ("fold-0", "fold-1", "final")
SETTINGS = {"revision": {"classification": 1}, "versions": {}}


@pytest.fixture(scope="module", params=[2, 3])
def study(request, tmp_path_factory):
    """Slides of two or three colours, of 2 to 6 patches of 20 px, and the networks of two folds and of all."""
    return _Study(tmp_path_factory.mktemp(f"of-{request.param}"), list(COLOURS)[: request.param])


class _Study:
    def __init__(self, folder, classes):
        self.folder, self.classes, self.paths, self.rows = folder, classes, {}, []
        for k in range(6 * len(classes)):
            label, width = classes[k % len(classes)], 20 * (1 + k % 3)
            slide = f"s-{k:02d}"
            noise = np.random.default_rng(k).integers(-30, 30, (40, width, 3))
            self.paths[slide] = picture(
                folder / f"{slide}.png", (np.array(COLOURS[label]) + noise).clip(0, 255).astype(np.uint8)
            )
            self.rows.append({"slide": slide, "label": label, "patient": slide, "fold": k // len(classes) % 2})
        self.test = [row["slide"] for row in self.rows[-2:]]
        self.rows = self.rows[:-2]
        self.paths["glass"] = picture(folder / "glass.png", np.full((40, 40, 3), 250, np.uint8))
        self.test.append("glass")
        self.slides = {slide: {"digest": f"digest of {slide}", "mpp": None, "scene": ""} for slide in self.paths}
        write_tsv(folder / "folds.tsv", ["slide", "patient", "fold"], self.rows)
        self.tiles = folder / "tiles/batch-0.tsv"
        tile_slides(
            self.tiles,
            self.slides,
            {"tiling": {"patch_size": 20, "stride": 20, "white_above": 200}, "revision": {}, "versions": {}},
            paths=self.paths,
            limits=LIMITS,
            on_bad_slide="fail",
        )
        given = {"kind": "network", "patches_of": "squares", "input_size": 32, "epochs": 1, "batch_size": 4}
        self.settings = classification_method({**given, "validation": 2})
        for part in PARTS:
            self.fit(part)

    def common(self, part, **changed):
        tiles = {slide: self.folder / f"tiles/{slide}.h5" for slide in self.slides}
        given = {"slides": self.slides, "paths": self.paths, "limits": LIMITS, "tiles": tiles}
        return {"folds": self.folder / "folds.tsv", "part": part, **given, **changed}

    def fit(self, part, seed=0):
        fit_network(
            **{name.split(".")[0]: self.folder / part / name for name in FILES},
            checkpoint=self.folder / part / ".checkpoint",
            rows=self.rows,
            classes=self.classes,
            settings=self.settings,
            seed=seed,
            revision={"training": 1},
            **self.common(part),
        )

    def decided(self, **changed):
        found = {}
        for part in PARTS:
            path = self.folder / part / "decisions.tsv"
            files = {"model": self.folder / part / "model.json", "network": self.folder / part / "network.safetensors"}
            decide_network(path, test=self.test, **files, **self.common(part, **changed))
            found |= {row["slide"]: row for row in read_tsv(path)}
        return found

    def write(self, to="heatmap", slides=None, **changed):
        """Write heat maps, and return slide to file."""
        slides = {slide: self.slides[slide] for slide in slides} if slides else self.slides
        given = {
            "tiles": [self.tiles],
            "folds": self.folder / "folds.tsv",
            "models": {part: self.folder / part / "model.json" for part in PARTS},
            "networks": {part: self.folder / part / "network.safetensors" for part in PARTS},
            "paths": self.paths,
            "limits": LIMITS,
            "on_bad_slide": "fail",
        }
        write_network_heatmaps(self.folder / to / "batch-0.tsv", slides, SETTINGS, **{**given, **changed})
        return {slide: self.folder / to / f"{slide}.h5" for slide in slides}


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    """Remember digests apart from one another."""
    monkeypatch.chdir(tmp_path)


def mean_probabilities(row, classes):
    """Return what a row of decisions says of the classes: its confidences are their log odds."""
    if len(classes) == 2:
        return np.array([1 - expit(float(row["confidence"])), expit(float(row["confidence"]))])
    return expit([float(row[f"confidence_{label}"]) for label in classes])


def test_a_patch_speaks_for_a_class_by_the_difference_of_its_probabilities():
    # e^0 / (e^0 + e^log 3) is a quarter
    against, speaks_for, values = differences([[0.0, np.log(3)], [np.log(9), 0.0]], ["LGG", "GBM"])
    assert (against, speaks_for) == ("LGG", "GBM")
    np.testing.assert_allclose(values, [0.75 - 0.25, 0.1 - 0.9])
    # means 0.35, 0.4 and 0.25: the second against the first
    against, speaks_for, values = differences(np.log([[0.6, 0.3, 0.1], [0.1, 0.5, 0.4]]), ["a", "b", "c"])
    assert (against, speaks_for) == ("a", "b")
    np.testing.assert_allclose(values, [-0.3, 0.4])
    assert differences(np.zeros((4, 3)), ["a", "b", "c"])[:2] == ("b", "a")  # a tie goes by place
    assert np.abs(differences([[1e4, 0.0], [0.0, 1e4]], ["a", "b"])[2]).tolist() == [1, 1]


def test_the_mean_over_the_patches_is_the_difference_that_decides(study):
    decided = study.decided()
    for slide, path in study.write().items():
        if slide == "glass":
            continue
        heat, row = read_heatmap(path), decided[slide]
        found = mean_probabilities(row, study.classes)
        order = np.argsort(-found, kind="stable") if len(study.classes) > 2 else [1, 0]
        said, difference = heat.attributes, found[order[0]] - found[order[1]]
        assert (said["speaks_for"], said["against"]) == tuple(study.classes[k] for k in order[:2])
        assert (said["of"], heat.of, said["intercept"]) == ("probability", "probability", 0)
        assert len(heat.contribution) == int(row["patches"])
        assert heat.contribution.sum() == pytest.approx(difference, abs=1e-9)
        assert heat.patch_confidence.mean() == pytest.approx(difference, abs=1e-9)
        assert said["confidence"] == pytest.approx(difference, abs=1e-9)
        assert np.abs(heat.patch_confidence).max() <= 1
        named = said["speaks_for"] if said["confidence"] > 0 else said["against"]
        assert named == row["predicted"]


def test_each_patch_has_what_the_network_that_never_saw_its_slide_says_of_it_alone(study):
    paths = study.write()
    for slide, part in ((study.rows[0]["slide"], "fold-0"), (study.test[0], "final")):
        top, tile = study.folder / part, study.folder / f"tiles/{slide}.h5"
        network = load_networks(top / "network.safetensors", study.settings, read_json(top / "model.json"))[0]
        patches = open_pixels(study.slides, study.paths, study.settings, [slide], tiles={slide: tile}, limits=LIMITS)
        logits, _ = patches.every(slide, lambda squares, network=network: logits_of(network, squares, batch_size=4))
        chances = torch.softmax(torch.from_numpy(logits).double(), 1).numpy()
        heat = read_heatmap(paths[slide])
        ahead, behind = (study.classes.index(heat.attributes[key]) for key in ("speaks_for", "against"))
        np.testing.assert_allclose(heat.patch_confidence, chances[:, ahead] - chances[:, behind], atol=1e-6)
        with h5py.File(tile) as file:
            assert heat.coords.tolist() == file["coords"][:].tolist()
            assert heat.size == file["coords"].attrs["patch_size_level0"] == 20


def test_a_patch_that_could_not_be_read_has_a_place_and_no_contribution(study, monkeypatch):
    slide, real = study.rows[2]["slide"], PatchReader._read  # 60 x 40 px: 6 patches

    def reads(self, corners, out):
        if self._slide.name == slide and (corners == [20, 0]).all(axis=1).any():
            raise SlideError(f"slide {slide}: a tile is damaged")
        real(self, corners, out)

    monkeypatch.setattr(PatchReader, "_read", reads)
    how = {"max_unreadable": 0.2}
    path = study.write("damaged", [slide], **how)[slide]
    with h5py.File(path) as file:
        places = file["coords"][:]
        assert len(places) == 6
        missing = np.isnan(file["contribution"][:])
        assert places[missing].tolist() == [[20, 0]]
    heat, found = read_heatmap(path), np.sort(mean_probabilities(study.decided(**how)[slide], study.classes))
    assert abs(heat.patch_confidence.mean()) == pytest.approx(found[-1] - found[-2], abs=1e-9)
    with pytest.raises(SlidecafError, match=slide):
        study.write("refused", [slide])


def test_a_slide_without_patches_has_no_sum_and_no_classes(study):
    heat = read_heatmap(study.write()["glass"])
    assert (len(heat.coords), heat.patch_confidence.tolist(), heat.attributes["status"]) == (0, [], "no tissue")
    assert not {"confidence", "intercept", "against", "speaks_for", "of"} & set(heat.attributes)


def test_a_slide_that_cannot_be_read_stops_no_other(study, tmp_path):
    first, second = study.rows[0]["slide"], study.rows[1]["slide"]
    paths = {**study.paths, first: broken(tmp_path / "bad.png")}
    with pytest.raises(SlidecafError, match=first):
        study.write("failed", [first, second], paths=paths)
    assert [path.name for path in (study.folder / "failed").glob("*.h5")] == [f"{second}.h5"]
    found = study.write("excluded", [first, second], paths=paths, on_bad_slide="exclude")
    heat = read_heatmap(found[first])
    assert (len(heat.coords), heat.attributes["status"], "confidence" in heat.attributes) == (0, "unreadable", False)
    assert len(read_heatmap(found[second]).coords)


def test_what_is_there_is_left_alone_and_a_changed_slide_or_network_makes_its_own_anew(tmp_path):
    study = _Study(tmp_path, ["green", "red"])
    assert done_twice(study.write, study.folder / "heatmap/batch-0.tsv") == sorted(study.slides)
    before = {slide: path.read_bytes() for slide, path in study.write().items()}
    changed = study.rows[3]["slide"]
    with Image.open(study.paths[changed]) as opened:
        opened.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(study.paths[changed])
    study.slides[changed] = {**study.slides[changed], "digest": "another"}
    after = {slide: path.read_bytes() for slide, path in study.write().items()}
    assert {slide for slide in before if before[slide] != after[slide]} == {changed}
    study.fit("fold-1", seed=1)
    last = {slide: path.read_bytes() for slide, path in study.write().items()}
    assert {slide for slide in after if after[slide] != last[slide]} == {
        row["slide"] for row in study.rows if row["fold"] == 1
    }


def test_a_slides_file_is_the_same_alone_and_among_others(study):
    slide = study.rows[4]["slide"]
    assert study.write("alone", [slide])[slide].read_bytes() == study.write()[slide].read_bytes()
