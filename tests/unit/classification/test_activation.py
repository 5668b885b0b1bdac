"""What networks see in images, drawn by the part that never saw them, beside masks."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.activation import draw_activations
from slidecaf.classification.class_maps import GAP, outline, over_image, read_maps, write_map_scores
from slidecaf.classification.drawn import read_drawn
from slidecaf.classification.network import decide_network, fit_network, load_networks
from slidecaf.errors import SlidecafError
from slidecaf.features.extraction.whole import square
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.slides import open_slide
from slidecaf.study.config import classification_method
from slidecaf.training.attention_maps import AttentionMaps
from slidecaf.training.augment import plain
from slidecaf.training.images import kept_size, shown

SIZE = (60, 40)
NAMES = ("choice.json", "selection.tsv", "model.json", "inner.tsv", "network.safetensors", "curves.tsv")
TWO = {"kind": "cam-two-stage", "architecture": "custom-cnn", "head": "own"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Images with a bright square, red or green, its mask, and networks of two folds and all."""
    return {kind: _Study(tmp_path_factory.mktemp(kind), kind) for kind in ("network", "cam-two-stage")}


@pytest.fixture(params=["network", "cam-two-stage"])
def kind(request, study):
    return study[request.param]


class _Study:
    def __init__(self, folder, kind, parts=("fold-0", "fold-1", "final"), **further):
        self.folder, self.paths, self.masks, rows = folder, {}, {}, []
        for k in range(12):
            slide, label = f"s-{k:02d}", ("green", "red")[k % 2]
            self.paths[slide], self.masks[slide] = folder / f"{slide}.png", folder / f"{slide}-mask.png"
            pixels = np.random.default_rng(k).integers(60, 100, (*SIZE[::-1], 3)).astype(np.uint8)
            mask = np.zeros(SIZE[::-1], np.uint8)
            mask[8:28, 20:45] = 255
            pixels[mask > 0, k % 2] = 230
            Image.fromarray(pixels).save(self.paths[slide])
            Image.fromarray(mask).save(self.masks[slide])
            rows.append({"slide": slide, "label": label, "patient": f"p{k // 4}{label}", "fold": k // 6})
        self.slides = {slide: {"digest": slide, "mpp": None, "scene": "", "mask": ""} for slide in self.paths}
        self.rows = rows[:10]  # the last two are test rows
        write_tsv(folder / "folds.tsv", ["slide", "patient", "fold"], self.rows)
        given = {"kind": kind, "input_size": 32, "epochs": 1, "batch_size": 4, "validation": 2, **further}
        self.settings = classification_method({**given, **(TWO if kind != "network" else {})})
        self.common = {"folds": folder / "folds.tsv", "slides": self.slides, "paths": self.paths, "limits": None}
        self.parts = parts
        for part in parts:
            fit_network(
                **{name.split(".")[0]: folder / part / name for name in NAMES},
                checkpoint=folder / part / ".checkpoint",
                part=part,
                rows=self.rows,
                classes=["green", "red"],
                settings=self.settings,
                seed=0,
                revision={"training": 1},
                **self.common,
            )

    def draw(self, slides, to="maps", **changed):
        parts = self.parts
        given = {
            "folds": self.folder / "folds.tsv",
            "models": {part: self.folder / part / "model.json" for part in parts},
            "networks": {part: self.folder / part / "network.safetensors" for part in parts},
            "paths": self.paths,
            "masks": self.masks,
            "limits": {"max_megapixels": 1, "max_decoded_megapixels": 1},
            "on_bad_slide": "fail",
        }
        manifest = self.folder / to / "batch-0.tsv"
        own = {slide: self.slides[slide] for slide in slides}
        draw_activations(manifest, own, {"revision": {}, "versions": {}}, **{**given, **changed})
        return manifest

    def decided(self, part, test=()):
        path = self.folder / part / "decisions.tsv"
        named = {"model": self.folder / part / "model.json", "network": self.folder / part / "network.safetensors"}
        decide_network(path, part=part, test=test, **named, **self.common)
        return {row["slide"]: row for row in read_tsv(path)}


def test_each_image_is_drawn_by_the_network_that_never_saw_it(kind):
    slides = sorted(kind.paths)
    manifest = kind.draw(slides)
    decided = kind.decided("fold-0") | kind.decided("fold-1") | kind.decided("final", slides[10:])
    splits = {slide: "train" if place < 10 else "test" for place, slide in enumerate(slides)}
    write_map_scores(kind.folder / "maps.tsv", [manifest], folds=kind.folder / "folds.tsv", splits=splits)
    rows = {row["slide"]: row for row in read_tsv(kind.folder / "maps.tsv")}
    assert [rows[slide]["fold"] for slide in slides] == ["0"] * 6 + ["1"] * 4 + [""] * 2
    two = kind.settings.stages == 2
    for slide in slides:
        row, maps = rows[slide], read_maps(kind.folder / f"maps/{slide}.png")
        assert row["kind"] == "grad-cam"
        assert 0 <= float(row["auc"]) <= 1
        assert ("covered" in row) == two
        confidence = float(decided[slide]["stage_1_confidence" if two else "confidence"])
        assert row["class"] == ("green", "red")[confidence > 0] == maps["class"]
        assert (maps["classes"], maps["maps"].shape[0], maps["size"]) == (["green", "red"], 2, list(SIZE))
        if two:
            assert maps["box"] == [int(decided[slide][f"crop_{key}"]) for key in ("x", "y", "width", "height")]
            assert 0 <= float(row["covered"]) <= 1


def test_the_drawing_has_the_map_and_what_is_above_the_share_of_its_largest_value(study):
    own = study["network"]
    own.draw(["s-00", "s-01"])
    for slide in ("s-00", "s-01"):
        path = own.folder / f"maps/{slide}.png"
        said = read_maps(path)
        place = said["classes"].index(said["class"])
        values = over_image(said["maps"], said["side"], said["border"], said["size"], said["fit"], SIZE[::-1])[place]
        found, foreground, attention = read_drawn(path)
        assert attention is None
        np.testing.assert_allclose(found, np.clip(2 * values / values.max(), 0, 2), atol=0.03)
        clear = abs(values / values.max() - 0.2) > 0.02
        assert (foreground == (values > 0.2 * values.max()))[clear].all()


def test_an_image_that_kept_its_shape_has_its_map_without_what_was_beside_it():
    maps = np.arange(16.0).reshape(1, 4, 4)
    found = over_image(maps, 40, 0, (80, 40), "pad", (10, 20))
    assert found.shape == (1, 10, 20)
    # the middle half of the square: from half a row below the first one's middle to half a row above the last one's
    assert 2 < found.min() < 3
    assert 12 < found.max() < 13
    whole = over_image(maps, 40, 0, (40, 40), "stretch", (40, 40))
    assert (whole.min(), whole.max()) == pytest.approx((0, 15), abs=1e-4)


def test_what_cannot_be_read_stops_no_other(kind, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n no")
    paths = {**kind.paths, "s-03": tmp_path / "bad.png"}
    with pytest.raises(SlidecafError, match="s-03"):
        kind.draw(["s-02", "s-03", "s-04"], "failed", paths=paths)
    assert {path.name for path in (kind.folder / "failed").glob("*.png")} == {"s-02.png", "s-04.png"}
    kind.draw(["s-02", "s-03"], "excluded", paths=paths, on_bad_slide="exclude")
    assert read_maps(kind.folder / "excluded/s-03.png") == {}
    values, foreground, _ = read_drawn(kind.folder / "excluded/s-03.png")
    assert np.isnan(values).all()
    assert not foreground.any()


def test_maps_are_the_same_alone_and_among_others(kind):
    first = kind.draw(sorted(kind.paths)[:4], "some").parent
    second = kind.draw(["s-02"], "alone").parent
    assert (first / "s-02.png").read_bytes() == (second / "s-02.png").read_bytes()


def test_a_box_is_outlined_where_it_lies():
    drawn = Image.new("RGB", (20, 10), (9, 9, 9))
    outline(drawn, (20, 10, 50, 60), (100, 100), 10, (10, 10))
    white = np.argwhere((np.asarray(drawn) == 255).all(axis=2))
    assert (white.min(axis=0).tolist(), white.max(axis=0).tolist()) == ([1, 12], [6, 16])


def test_a_network_with_attention_shows_where_it_looks_beside_the_map(tmp_path):
    own = _Study(tmp_path, "network", parts=["final"], architecture="arl-14", input_size=64)
    own.draw(["s-10"])
    path = own.folder / "maps/s-10.png"
    with Image.open(path) as opened:
        assert opened.text["attention"] == "layer4.0.attention"
        pixels = np.asarray(opened.convert("RGB"))
    assert pixels.shape[1] == 4 * SIZE[0] + 3 * GAP
    stored = read_json(own.folder / "final/model.json")
    network = load_networks(own.folder / "final/network.safetensors", own.settings, stored)[0]
    with open_slide(own.paths["s-10"], name="s-10") as opened:
        squares = shown(square(opened, kept_size(64), "stretch"), False)[None]
    maps, _ = AttentionMaps(network)(plain(squares, 64))
    assert maps.shape == (1, 1, 2, 2)
    expected = over_image(abs(maps[0].numpy()), 64, 0, SIZE, "stretch", SIZE[::-1])[0]
    np.testing.assert_allclose(read_drawn(path)[2], 2 * expected / expected.max(), atol=0.06)
