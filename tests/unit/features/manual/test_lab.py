"""Colours are scikit-image's L*a*b*, and lie within the bins' ranges."""

import numpy as np
from skimage.color import rgb2lab

from slidecaf.features.manual.lab import BINS, RANGES, bins

LOW, HIGH = np.array(RANGES, float).T


def check_bins(pixels):
    places = (rgb2lab(pixels) - LOW) * BINS / (HIGH - LOW)
    assert (places > -1e-6).all()
    assert (places < BINS + 1e-6).all()
    clear = np.abs(places - places.round()) > 1e-4  # further from an edge than rounding goes
    expected = np.clip(places, 0, BINS - 1).astype(np.uint8)
    np.testing.assert_array_equal(np.moveaxis(bins(pixels), 0, -1)[clear], expected[clear])
    assert clear.mean() > 0.99


def test_bins_are_those_of_scikit_images_colours():
    check_bins(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))


def test_all_corners_of_the_colours_lie_within_the_ranges():
    steps = np.array([0, 1, 2, 8, 40, 100, 128, 200, 254, 255], np.uint8)
    check_bins(np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(100, 10, 3))


def test_every_bin_can_be_reached():
    steps = np.arange(0, 256, 3, dtype=np.uint8)
    pixels = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, len(steps), 3)
    for channel in bins(pixels):
        assert set(np.unique(channel)) == set(range(BINS))


def test_gray_has_one_bin_of_a_and_of_b():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    lightness, a, b = bins(gray)
    assert len(np.unique(a)) == len(np.unique(b)) == 1
    assert lightness[0, 0] == 0
    assert lightness[0, -1] == BINS - 1
    assert (np.diff(lightness[0].astype(int)) >= 0).all()
