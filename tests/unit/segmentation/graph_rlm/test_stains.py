"""Pixels told apart by stain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slidecaf.segmentation.graph_rlm.stains import quantise, stain_centres

COLOURS = np.array([[80, 40, 120], [220, 130, 180], [245, 245, 245]])


def noisy(stains, seed=0):
    """Draw pixels of known stains with noise."""
    noise = np.random.default_rng(seed).normal(0, 6, (*stains.shape, 3))
    return np.clip(COLOURS[stains] + noise, 0, 255).astype(np.uint8)


def test_three_stains_are_found_and_ordered_from_dark_to_light():
    stains = np.random.default_rng(1).choice(3, (60, 70), p=[0.2, 0.5, 0.3])
    pixels = noisy(stains)
    centres = stain_centres(pixels.reshape(-1, 3))
    np.testing.assert_allclose(centres, COLOURS, atol=3)
    np.testing.assert_array_equal(quantise(pixels, centres), stains)


def test_the_same_pixels_have_the_same_centres_to_the_last_bit():
    pixels = noisy(np.random.default_rng(1).choice(3, 5000))
    assert stain_centres(pixels).tobytes() == stain_centres(pixels.copy()).tobytes()


@pytest.mark.parametrize("colours", [1, 2])
def test_fewer_colours_than_stains_are_no_error(colours):
    pixels = np.repeat(COLOURS[:colours].astype(np.uint8), 50, axis=0)
    stains = quantise(pixels[None], stain_centres(pixels))[0]
    assert len(set(stains.tolist())) == colours
    assert stains[0] == 0


@given(arrays(np.uint8, (5, 7, 3)), arrays(np.uint8, (3, 3)))
@settings(max_examples=50)
def test_a_pixel_has_the_nearest_of_the_colours(pixels, centres):
    away = ((pixels[:, :, None].astype(float) - centres) ** 2).sum(axis=3)
    np.testing.assert_array_equal(quantise(pixels, centres.astype(float)), away.argmin(axis=2))


@given(st.integers(0, 255))
@settings(max_examples=10)
def test_one_colour_is_the_darkest_stain(value):
    pixels = np.full((4, 4, 3), value, np.uint8)
    assert not quantise(pixels, stain_centres(pixels.reshape(-1, 3))).any()
