"""Patches of slides: which ones an epoch sees, how a slide is judged by them, and what cannot be read."""

import numpy as np
import pytest
import torch
from PIL import Image

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.patchwise import PatchReader
from slidecaf.study.config import classification_method
from slidecaf.tiles.batch import tile_slides
from slidecaf.training import patches as module
from slidecaf.training.checkpoint import Checkpoint
from slidecaf.training.loop import logits_of, train
from slidecaf.training.networks import build_network
from slidecaf.training.patches import Drawn, Patches, judge_slides, mean_logits

TILING = {"patch_size": 40, "stride": 40}
SIDES = {"large": (400, 320), "small": (80, 80), "other": (120, 120), "tiny": (80, 40)}
"""80, 4, 9 and 2 patches."""


@pytest.fixture
def slides(tmp_path):
    """Slides of noise with their tiles: paths, sources and tiles by slide."""
    paths = {}
    for number, (slide, (width, height)) in enumerate(SIDES.items()):
        paths[slide] = tmp_path / f"{slide}.png"
        noise = np.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=np.uint8)
        noise[:, :, 0] = 250 * (number % 2)
        Image.fromarray(noise).save(paths[slide])
    own = {slide: {"digest": f"digest of {slide}", "mpp": None, "scene": ""} for slide in paths}
    settings = {"tiling": TILING, "revision": {}, "versions": {}}
    manifest = tmp_path / "tiles/batch-0.tsv"
    limits = {"max_megapixels": 10, "max_decoded_megapixels": 10}
    tile_slides(manifest, own, settings, paths=paths, limits=limits, on_bad_slide="fail")
    sources = {slide: {**own[slide], "path": paths[slide]} for slide in paths}
    return sources, {slide: tmp_path / f"tiles/{slide}.h5" for slide in paths}


def read(slides, wanted=tuple(SIDES), **changed):
    return Patches(wanted, *slides, **{"input_size": 32, "patches_per_slide": 6, **changed})


def test_an_epoch_sees_at_most_so_many_of_each_slide_and_others_in_the_next(slides):
    patches = read(slides)
    assert [patches.count(slide) for slide in SIDES] == [6, 4, 6, 2]
    squares, names, owners, valid = patches.drawn(0, 1)
    assert tuple(squares.shape) == (18, 3, 40, 40)  # a quarter larger than the network sees
    assert owners.tolist() == [0] * 6 + [1] * 4 + [2] * 6 + [3] * 2
    assert valid.all()
    assert len({*names}) == 18
    _, again, _, _ = patches.drawn(0, 1)
    _, later, _, _ = patches.drawn(0, 2)
    _, other, _, _ = patches.drawn(1, 1)
    assert again == names
    assert later[:6] != names[:6] != other[:6]
    assert later[6:10] == names[6:10]  # there are no others
    seen = {name for epoch in range(1, 60) for name in patches.drawn(0, epoch)[1] if name.startswith("large/")}
    assert len(seen) > 70  # of 80


def test_a_slides_draw_depends_on_no_other_slide_and_on_no_thread(slides):
    squares, names, _, _ = read(slides).drawn(0, 3)
    alone, of_it, _, _ = read(slides, ["large"]).drawn(0, 3)
    assert of_it == names[:6]
    assert torch.equal(alone, squares[:6])
    assert torch.equal(read(slides, threads=3).drawn(0, 3)[0], squares)


def test_pixels_are_those_at_the_place_that_the_name_says(slides):
    squares, names, _, _ = read(slides, ["large"], input_size=32).drawn(0, 1)
    with Image.open(slides[0]["large"]["path"]) as opened:
        pixels = np.asarray(opened)
    for square, name in zip(squares, names, strict=True):
        x, y = map(int, name.split("/")[1:])
        np.testing.assert_array_equal(square.permute(1, 2, 0).numpy(), pixels[y : y + 40, x : x + 40])
    assert tuple(read(slides, ["small"], grey=True).drawn(0, 1)[0].shape) == (4, 1, 40, 40)


def test_all_patches_of_a_slide_come_in_the_order_of_its_tiles(slides, monkeypatch):
    monkeypatch.setattr(module, "READ", 9)
    patches = read(slides, threads=2)
    means, valid = patches.every("large", lambda squares: squares.float().mean((1, 2, 3)).numpy())
    with Image.open(slides[0]["large"]["path"]) as opened:
        pixels = np.asarray(opened, np.float64)
    wanted = [pixels[y : y + 40, x : x + 40].mean() for y in range(0, 320, 40) for x in range(0, 400, 40)]
    np.testing.assert_allclose(means, wanted, rtol=1e-5)
    assert valid.tolist() == [True] * 80


def test_a_slides_probability_is_the_mean_of_its_patches(slides):
    settings = classification_method({"kind": "network", "input_size": 32, "patches_of": "squares"})
    network, patches = build_network(settings, 3, seed=0), read(slides)
    logits, counts, status = judge_slides(patches, lambda squares: logits_of(network, squares, batch_size=8))
    assert counts == {"large": 80, "small": 4, "other": 9, "tiny": 2}
    assert set(status.values()) == {"ok"}
    own, _ = patches.every("other", lambda squares: logits_of(network, squares, batch_size=8))
    softmax = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(logits["other"]), softmax.mean(axis=0), rtol=1e-9)


def test_the_mean_of_probabilities_does_not_overflow():
    found = mean_logits(np.array([[1e4, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(np.exp(found), [0.75, 0.25])
    assert np.isfinite(mean_logits(np.array([[-1e4, 0.0]]))).all()


def test_slides_held_back_are_judged_as_slides_by_patches_that_stay(slides):
    patches = read(slides)
    drawn = Drawn(patches, [0, 1, 0, 1], [True, True, False, False], "0/final")
    assert drawn.learned_labels.tolist() == [0] * 6 + [1] * 2
    assert drawn.judged_labels.tolist() == [0, 1]
    assert len(drawn.judged_squares()) == 10
    logits = np.random.default_rng(0).normal(size=(10, 2))
    wanted = [mean_logits(logits[:6]), mean_logits(logits[6:])]
    np.testing.assert_array_equal(drawn.judged_logits(logits), wanted)
    epoch = drawn.of_epoch(1)
    assert {name.split("/")[0] for name in epoch.names} == {"other", "tiny"}
    assert epoch.labels.tolist() == [0] * 6 + [1] * 2


def run(slides, path, **changed):
    settings = classification_method(
        {"kind": "network", "input_size": 32, "patches_of": "squares", "epochs": 3, "batch_size": 4, **changed}
    )
    examples = Drawn(read(slides), [0, 1, 0, 1], [False, False, False, True], "0/final")
    return train(
        lambda: build_network(settings, 2, seed=1),
        examples,
        classes=2,
        settings=settings,
        seed="0/final",
        checkpoint=Checkpoint(path, "same"),
    )


def test_killed_between_epochs_it_goes_on_to_the_same_bytes(slides, tmp_path, monkeypatch):
    undisturbed = run(slides, tmp_path / "whole")
    drawn, asked = Patches.drawn, []

    def dies(self, seed, epoch):
        asked.append(epoch)
        if epoch == 3:
            raise KeyboardInterrupt
        return drawn(self, seed, epoch)

    monkeypatch.setattr(Patches, "drawn", dies)
    with pytest.raises(KeyboardInterrupt):
        run(slides, tmp_path / "cut")
    monkeypatch.undo()
    gone_on = run(slides, tmp_path / "cut")
    assert gone_on.curves == undisturbed.curves
    assert all(torch.equal(gone_on.state[key], value) for key, value in undisturbed.state.items())


def broken(monkeypatch, share):
    """Have a share of the patches of ``large`` unreadable, by their place."""
    real = PatchReader._read

    def reads(self, corners, out):
        if self._slide.name == "large" and (corners[:, 0] // 40 + corners[:, 1] // 40 * 10 < 80 * share).any():
            raise SlideError("slide large: a tile is damaged")
        real(self, corners, out)

    monkeypatch.setattr(PatchReader, "_read", reads)


def test_a_few_unreadable_patches_are_left_out(slides, monkeypatch):
    broken(monkeypatch, 0.1)
    patches = read(slides, patches_per_slide=80, max_unreadable=0.1)
    *_, valid = patches.drawn(0, 1)
    assert int((~valid).sum()) == 8
    drawn = Drawn(patches, [0, 1, 0, 1], [False] * 4, 0).of_epoch(1)
    assert len(drawn.learned) == 95 - 8
    _, counts, status = judge_slides(patches, lambda squares: np.zeros((len(squares), 2)))
    assert (counts["large"], status["large"]) == (72, "ok")
    values, valid = patches.every("large", lambda squares: np.zeros((len(squares), 2)))
    assert (values.shape, valid.tolist()) == ((72, 2), [False] * 8 + [True] * 72)


def test_a_slide_that_breaks_in_mid_training_is_named_or_left_out(slides, monkeypatch, caplog):
    broken(monkeypatch, 0.5)
    how = {"patches_per_slide": 80, "max_unreadable": 0.1}
    with pytest.raises(SlidecafError, match=r"^1 of 4 slides cannot be read \(large\); mend what is said of them"):
        read(slides, **how).drawn(0, 1)
    assert "a tile is damaged" in caplog.text
    with pytest.raises(SlidecafError, match=r"^1 of 4 slides cannot be read \(large\)"):
        judge_slides(read(slides, **how), lambda squares: np.zeros((len(squares), 2)))
    patches = read(slides, **how, on_bad_slide="exclude")
    _, _, owners, valid = patches.drawn(0, 1)
    assert set(owners[valid]) == {1, 2, 3}
    logits, _, status = judge_slides(patches, lambda squares: np.zeros((len(squares), 2)))
    assert status == {"large": "unreadable", "small": "ok", "other": "ok", "tiny": "ok"}
    assert set(logits) == {"small", "other", "tiny"}
    (slides[0]["tiny"]["path"]).unlink()
    assert judge_slides(patches, lambda squares: np.zeros((len(squares), 2)))[2]["tiny"] == "unreadable"
