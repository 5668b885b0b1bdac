"""The encoder stands where a network stands in extraction."""

import numpy as np
import torch

from slidecaf.features.manual.descriptor import DIMENSION, describe
from slidecaf.features.manual.encoder import ManualEncoder
from tests.unit.features.extraction.test_patchwise import ArraySlide, extract, grid, picture


def test_features_are_those_of_the_patches_whatever_their_layout_in_memory():
    patches = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    encoder = ManualEncoder(20)
    last = torch.from_numpy(patches).permute(0, 3, 1, 2)
    for tensor in (last, last.contiguous()):
        features = encoder(tensor)
        assert features.dtype == torch.float32
        np.testing.assert_array_equal(features.numpy(), describe(patches))


def test_patchwise_extraction_runs_it_as_it_runs_a_network():
    pixels, coords = picture(300, 420), grid(420, 300, 112, 80)
    slide, encoder = ArraySlide(pixels), ManualEncoder(112)
    features, valid = extract(slide, coords, encoder, size=112, threads=2)
    assert valid.all()
    assert features.shape == (len(coords), encoder.dimension) == (len(coords), DIMENSION)
    expected = describe(np.stack([pixels[y : y + 112, x : x + 112] for x, y in coords]))
    np.testing.assert_array_equal(features, expected.astype(np.float16))
    again, _ = extract(slide, coords, encoder, size=112, threads=1)
    np.testing.assert_array_equal(again, features)


def test_a_patch_that_cannot_be_read_is_zero_and_not_valid():
    pixels, coords = picture(200, 200), grid(200, 200, 64, 32)
    bad = lambda x, y, width, height: x <= 10 < x + width and y <= 10 < y + height  # noqa: E731
    features, valid = extract(ArraySlide(pixels, bad), coords, ManualEncoder(64), size=64, max_unreadable=0.2)
    assert 0 < (~valid).sum() < len(coords)
    assert not features[~valid].any()
    assert features[valid].any(1).all()
