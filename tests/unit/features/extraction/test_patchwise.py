"""Patchwise extraction agrees with torchvision run by hand, whatever the threads, and survives faults."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import functional

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction import patchwise
from slidecaf.features.networks.encoder import MEAN, STD, load_encoder
from slidecaf.features.networks.weights import draw_weights


class ArraySlide:
    """A slide that is an array; `bad` tells which regions cannot be read."""

    def __init__(self, pixels, bad=lambda x, y, width, height: False):
        self.pixels, self.bad = pixels, bad
        self.levels = [SimpleNamespace(width=pixels.shape[1], height=pixels.shape[0], downsample=1.0)]
        self.read_pixels = 0

    def best_level(self, downsample):
        return 0

    def read_padded(self, x, y, width, height, level=0):
        if self.bad(x, y, width, height):
            raise SlideError("slide s: a region cannot be read.")
        self.read_pixels += width * height
        return np.ascontiguousarray(self.pixels[y : y + height, x : x + width])


class Rows:
    """Takes rows as a features file does."""

    def __init__(self):
        self.features, self.valid = [], []

    def append(self, features, valid):
        self.features.append(features.copy())
        self.valid.append(valid.copy())

    def all(self):
        return np.concatenate(self.features), np.concatenate(self.valid)


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width])


def grid(width, height, size, stride):
    return np.array([(x, y) for y in range(0, height - size + 1, stride) for x in range(0, width - size + 1, stride)])


def extract(slide, coords, encoder, *, size, batch_size=8, threads=2, max_unreadable=0.01):
    rows = Rows()
    options = {"patch_size": size, "patch_size_level0": size, "batch_size": batch_size, "threads": threads}
    patchwise.extract(
        slide, coords, encoder, rows, **options, max_unreadable=max_unreadable, advance=lambda count: None
    )
    return rows.all()


@pytest.fixture(scope="module")
def encoder():
    return load_encoder({"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64})


def test_features_agree_with_torchvision_run_by_hand_on_the_same_patches():
    pixels = picture(700, 900)
    coords = grid(900, 700, 336, 252)
    encoder = load_encoder({"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224})
    features, valid = extract(ArraySlide(pixels), coords, encoder, size=336)

    model = torchvision.models.alexnet(weights=None).eval()
    draw_weights(model, 0)
    cut = create_feature_extractor(model, {"classifier.5": "out"})
    for (x, y), row in zip(coords, features, strict=True):
        patch = torch.from_numpy(pixels[y : y + 336, x : x + 336].copy()).permute(2, 0, 1)[None]
        patch = functional.resize(patch, [224, 224], antialias=True)
        patch = functional.normalize(patch.float() / 255, MEAN, STD)
        with torch.inference_mode():
            expected = cut(patch)["out"][0].numpy()
        np.testing.assert_allclose(row.astype(np.float32), expected, rtol=1e-3, atol=1e-3 * expected.max())
    assert valid.all()


def test_neither_threads_nor_repetition_change_a_bit(encoder):
    slide, coords = ArraySlide(picture(500, 700)), grid(700, 500, 96, 48)
    first, _ = extract(slide, coords, encoder, size=96, threads=1)
    for threads in (1, 2, 5):
        again, _ = extract(slide, coords, encoder, size=96, threads=threads)
        np.testing.assert_array_equal(again, first)


def test_overlaps_are_read_little_more_than_once(encoder):
    slide, coords = ArraySlide(picture(1344, 1344)), grid(1344, 1344, 336, 252)
    extract(slide, coords, encoder, size=336, batch_size=16)
    assert slide.read_pixels < 1.2 * 1344 * 1344
    assert len(coords) * 336 * 336 > 1.5 * 1344 * 1344  # what reading each patch would cost


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=60, unique=True),
    st.integers(1, 40),
    st.integers(1, 300),
)
@settings(max_examples=60)
def test_every_patch_is_in_one_batch_and_bands_follow_each_other(cells, batch_size, size):
    coords = np.array(sorted(cells, key=lambda c: (c[1], c[0])), np.int64).reshape(-1, 2) * 50
    bands = patchwise.plan_bands(coords, size, batch_size)
    start = 0
    for band in bands:
        rows = np.sort(np.concatenate(band))
        np.testing.assert_array_equal(rows, np.arange(start, start + len(rows)))
        start += len(rows)
        assert all(len(batch) <= batch_size for batch in band)
    assert start == len(coords)


def test_a_region_that_cannot_be_read_costs_only_its_patches(encoder):
    pixels, coords = picture(500, 700), grid(700, 500, 96, 48)
    bad = lambda x, y, width, height: x <= 300 < x + width and y <= 200 < y + height  # noqa: E731
    features, valid = extract(ArraySlide(pixels, bad), coords, encoder, size=96, max_unreadable=0.1)
    hit = [x <= 300 < x + 96 and y <= 200 < y + 96 for x, y in coords]
    np.testing.assert_array_equal(~valid, hit)
    assert not features[~valid].any()
    # not bit for bit: the good ones of a damaged batch stay where they are, but the bad ones are zeros there
    whole, _ = extract(ArraySlide(pixels), coords, encoder, size=96)
    np.testing.assert_allclose(features[valid].astype(float), whole[valid].astype(float), rtol=2e-3, atol=1e-3)


def test_too_many_unreadable_patches_fail_the_slide_by_name(encoder):
    slide = ArraySlide(picture(500, 700), lambda x, y, width, height: x < 50)
    with pytest.raises(SlideError, match=r"slide s: a region cannot be read\. More than 1\.00% of the slide's 117"):
        extract(slide, grid(700, 500, 96, 48), encoder, size=96)


class Fussy:
    """An encoder whose device holds so many patches and no more."""

    def __init__(self, holds, *, compiles=False):
        self.compiles, self.seen = compiles, []
        self.holds, self.device, self.input_size, self.dimension = holds, torch.device("cpu"), 64, 3
        self.largest = 0

    def __call__(self, patches):
        if len(patches) > self.holds:
            raise torch.OutOfMemoryError
        self.largest = max(self.largest, len(patches))
        self.seen.append(len(patches))
        return patches.float().mean((2, 3))


def test_out_of_memory_halves_the_batch_and_goes_on():
    slide, coords = ArraySlide(picture(500, 700)), grid(700, 500, 64, 32)
    fussy = Fussy(3)
    features, _ = extract(slide, coords, fussy, size=64, batch_size=16, threads=1)
    expected, _ = extract(slide, coords, Fussy(100), size=64, batch_size=16, threads=1)
    np.testing.assert_array_equal(features, expected)
    assert fussy.largest == 2
    with pytest.raises(SlidecafError, match="does not hold the network and one patch"):
        extract(slide, coords, Fussy(0), size=64)


def test_a_network_that_is_compiled_is_given_whole_batches_only():
    slide, coords = ArraySlide(picture(500, 700)), grid(700, 500, 64, 32)
    expected, _ = extract(slide, coords, Fussy(100), size=64, batch_size=16, threads=1)
    for holds, sizes in ((100, {16}), (7, {4})):
        compiled = Fussy(holds, compiles=True)
        features, _ = extract(slide, coords, compiled, size=64, batch_size=16, threads=1)
        np.testing.assert_array_equal(features, expected)
        assert set(compiled.seen) == sizes


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "not a number"), (1e6, "does not fit 16 bit")])
def test_features_that_are_no_16_bit_numbers_are_an_error(value, said):
    fussy = Fussy(100)
    fussy.__class__ = type("Wild", (Fussy,), {"__call__": lambda self, p: torch.full((len(p), 3), value)})
    with pytest.raises(SlidecafError, match=said):
        extract(ArraySlide(picture(200, 200)), grid(200, 200, 64, 32), fussy, size=64)


def test_a_lower_level_is_read_where_it_holds_the_wanted_resolution():
    pixels = picture(512, 512)
    half = pixels.reshape(256, 2, 256, 2, 3).mean((1, 3)).astype(np.uint8)

    class TwoLevels(ArraySlide):
        def best_level(self, downsample):
            return int(downsample >= 2)

        def read_padded(self, x, y, width, height, level=0):
            source = (self.pixels, half)[level]
            return np.ascontiguousarray(source[y : y + height, x : x + width])

    slide = TwoLevels(pixels)
    slide.levels.append(SimpleNamespace(width=256, height=256, downsample=2.0))
    reader = patchwise.PatchReader(slide, patch_size=64, patch_size_level0=128, input_size=64)
    patches, valid, _ = reader(np.array([[100, 200], [128, 200]]))
    assert valid.all()
    np.testing.assert_array_equal(patches[0].permute(1, 2, 0).numpy(), half[100:164, 50:114])
    np.testing.assert_array_equal(patches[1].permute(1, 2, 0).numpy(), half[100:164, 64:128])
