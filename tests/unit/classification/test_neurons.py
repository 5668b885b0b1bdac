"""Figure 5: which neurons, and which patches."""

import numpy as np
from PIL import Image

from slidecaf.classification.figure import PATCHES, SIDE, read_figure
from slidecaf.classification.neurons import (
    COLUMNS,
    NEURONS,
    Neuron,
    activating_patches,
    read_patch,
    strongest,
    write_neurons,
)
from slidecaf.classification.svm import LinearSVM
from slidecaf.features.file import write_features
from slidecaf.features.shards import WholeImage, write_shard
from slidecaf.files.tables import read_tsv, write_json
from slidecaf.slides import open_slide


def model(classes, pairs, coef):
    coef = np.array(coef, float)
    return LinearSVM(classes, pairs, coef, np.zeros(len(coef)), 1.0, True, (1,) * len(coef))


def test_the_neurons_of_a_class_are_those_with_the_largest_weights_for_it():
    svm = model(("LGG", "GBM"), (("LGG", "GBM"),), [[0.1, -0.5, 0.7, 0.0]])
    found = strongest(svm, [40, 30, 20, 10])
    assert [(n.label, n.index) for n in found] == [("GBM", 20), ("GBM", 40), ("LGG", 30)]
    assert [n.weight for n in found] == [0.7, 0.1, 0.5]


def test_a_class_has_no_more_neurons_than_a_figure_holds():
    svm = model(("a", "b"), (("a", "b"),), [np.linspace(1, 2, 50)])
    found = strongest(svm, list(range(50)))
    assert [n.index for n in found] == list(range(49, 49 - NEURONS, -1))


def test_with_three_classes_the_weights_of_a_class_are_summed_over_its_pairs():
    svm = model(("a", "b", "c"), (("a", "b"), ("a", "c"), ("b", "c")), [[-1.0, 0.0], [-2.0, 0.0], [0.0, 4.0]])
    found = {(n.label, n.index): n.weight for n in strongest(svm, [7, 8])}
    assert found == {("c", 8): 4.0, ("a", 7): 3.0}


def features_file(path, features, *, valid=None, status="ok"):
    features = np.array(features, np.float16)
    coords = np.arange(2 * len(features)).reshape(-1, 2) * 10
    with write_features(
        path,
        coords,
        features.shape[1],
        coords_attributes={"patch_size_level0": 32},
        attributes={"status": status},
    ) as writer:
        writer.append(features, np.ones(len(features), bool) if valid is None else np.array(valid))
    return path


def test_each_slide_gives_its_strongest_patch_and_the_strongest_slide_stands_first(tmp_path):
    files = {
        "weak": features_file(tmp_path / "weak.h5", [[1, 0], [2, 0]]),
        "strong": features_file(tmp_path / "strong.h5", [[9, 0], [8, 0], [3, 5]]),
        "empty": features_file(tmp_path / "empty.h5", np.zeros((0, 2)), status="no tissue"),
    }
    first, second = activating_patches([Neuron("a", 0, 1.0), Neuron("b", 1, 1.0)], files)
    assert [(p["slide"], p["x"], p["y"], p["activation"]) for p in first] == [("strong", 0, 10, 9), ("weak", 20, 30, 2)]
    assert [(p["slide"], p["x"], p["activation"]) for p in second] == [("strong", 40, 5), ("weak", 0, 0)]
    assert first[0]["patch_size"] == 32


def test_a_patch_that_could_not_be_read_is_never_shown(tmp_path):
    files = {"s": features_file(tmp_path / "s.h5", [[9.0], [1.0]], valid=[False, True])}
    assert [p["activation"] for p in activating_patches([Neuron("a", 0, 1.0)], files)[0]] == [1.0]


def test_no_more_slides_than_a_row_holds(tmp_path):
    files = {f"s{k:02}": features_file(tmp_path / f"s{k:02}.h5", [[k]]) for k in range(PATCHES + 3)}
    found = activating_patches([Neuron("a", 0, 1.0)], files)[0]
    assert [p["activation"] for p in found] == list(range(PATCHES + 2, 2, -1))


def test_a_patch_is_the_slide_at_its_place_beyond_the_border_reflected(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "s.png")
    with open_slide(tmp_path / "s.png") as slide:
        assert np.array_equal(read_patch(slide, 40, 50, SIDE), pixels[50 : 50 + SIDE, 40 : 40 + SIDE])
        assert read_patch(slide, 250, 150, 100).size == (SIDE, SIDE)


def test_the_figure_and_its_table_show_the_training_patches_that_activate_the_models_neurons(tmp_path):
    rng = np.random.default_rng(0)
    slides, features, pixels = {}, {}, {}
    for k, name in enumerate(("a", "b")):
        pixels[name] = rng.integers(0, 256, (200, 300, 3), np.uint8)
        Image.fromarray(pixels[name]).save(tmp_path / f"{name}.png")
        slides[name] = {"path": tmp_path / f"{name}.png", "scene": "", "label": ("LGG", "GBM")[k]}
        values = rng.integers(0, 99, (4, 3)) + 0.5 * k  # no ties between slides
        features[name] = features_file(tmp_path / f"{name}.h5", values, valid=[True, True, True, False])
    svm = model(("LGG", "GBM"), (("LGG", "GBM"),), [[0.5, -0.25]])
    write_json(tmp_path / "model.json", {"features": "cnn", "norm": 3, "selection": [2, 0], **svm.to_dict()})
    for name in ("one", "two"):
        write_neurons(
            tmp_path / f"{name}.png",
            tmp_path / f"{name}.tsv",
            model=tmp_path / "model.json",
            features={"other": {}, "cnn": features},
            slides=slides,
            caveats=["random weights"],
        )
    for suffix in ("png", "tsv"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
    found = activating_patches(strongest(svm, [2, 0]), features)
    table = read_tsv(tmp_path / "one.tsv")
    assert list(table[0]) == list(COLUMNS)
    shown = [(row["class"], row["neuron"], row["weight"], row["place"], row["slide"], row["label"]) for row in table]
    assert shown == [
        (label, neuron, weight, str(place), patch["slide"], slides[patch["slide"]]["label"])
        for (label, neuron, weight), row in zip([("GBM", "2", "0.5"), ("LGG", "0", "0.25")], found, strict=True)
        for place, patch in enumerate(row)
    ]
    for row, patches in zip(read_figure(tmp_path / "one.png", table), found, strict=True):
        for drawn, patch in zip(row["patches"], patches, strict=True):
            with open_slide(slides[patch["slide"]]["path"]) as slide:
                expected = read_patch(slide, patch["x"], patch["y"], 32)
            assert np.array_equal(drawn["picture"], expected)


def test_of_whole_slides_the_strongest_are_shown_as_they_are(tmp_path):
    slides = {}
    for slide, size in (("wide", (300, 100)), ("small", (40, 40)), ("other", (90, 120))):
        path = tmp_path / f"{slide}.png"
        Image.new("RGB", size, (30, 60, 90)).save(path)
        slides[slide] = {"path": path, "scene": "", "label": "a"}
    known = {"level0_width": 300, "level0_height": 100}
    images = {
        "bad": WholeImage(np.zeros((0, 2), np.float16), "unreadable"),
        "small": WholeImage(np.array([[1, 7]], np.float16), level0_width=40, level0_height=40),
        "wide": WholeImage(np.array([[5, 2]], np.float16), **known),
    }
    write_shard(tmp_path / "shard-0.h5", images, {})
    write_shard(tmp_path / "shard-1.h5", {"other": WholeImage(np.array([[3, 3]], np.float16))}, {})
    files = dict.fromkeys(images, tmp_path / "shard-0.h5") | {"other": tmp_path / "shard-1.h5"}
    first, second = activating_patches([Neuron("a", 0, 1.0), Neuron("b", 1, 1.0)], files)
    assert [(p["slide"], p["x"], p["y"], p["activation"]) for p in first] == [
        ("wide", 0, 0, 5),
        ("other", 0, 0, 3),
        ("small", 0, 0, 1),
    ]
    assert first[0]["patch_size"] == 300
    assert [p["slide"] for p in second] == ["small", "other", "wide"]

    svm = model(("a", "b"), (("a", "b"),), [[1.0, -1.0]])
    write_json(tmp_path / "model.json", {"features": "whole", "norm": 3, "selection": [0, 1], **svm.to_dict()})
    figure, table = tmp_path / "figure.png", tmp_path / "figure.tsv"
    write_neurons(figure, table, model=tmp_path / "model.json", features={"whole": files}, slides=slides)
    rows = read_figure(figure, read_tsv(table))
    wide = np.asarray(rows[0]["patches"][0]["picture"])
    assert wide.shape == (SIDE, SIDE, 3)
    assert (wide[: SIDE // 4] == 255).all()  # its shape is kept
    assert (wide[SIDE // 2] == (30, 60, 90)).all()
    small = np.asarray(rows[1]["patches"][0]["picture"])
    assert (small == (30, 60, 90)).all()  # enlarged
