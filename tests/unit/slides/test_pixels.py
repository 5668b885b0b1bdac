import numpy as np
import pytest

from slidecaf.slides.pixels import cmyk_to_rgb, grey_to_rgb, on_white, palette_to_rgb, to_uint8


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_black_stays_black_white_becomes_255_and_all_between_is_rounded(bits):
    values = np.arange(2**bits).astype(np.uint16 if bits > 8 else np.uint8)
    scaled = to_uint8(values, 2**bits - 1)
    assert scaled.dtype == np.uint8
    np.testing.assert_array_equal(scaled, np.rint(values * 255.0 / (2**bits - 1)))


def test_16_bit_is_divided_by_257():
    values = np.arange(2**16, dtype=np.uint16)
    np.testing.assert_array_equal(to_uint8(values, 2**16 - 1), np.rint(values / 257))


def test_samples_of_one_bit_may_be_booleans():
    np.testing.assert_array_equal(to_uint8(np.array([False, True]), 1), [0, 255])


def test_grey_is_the_same_in_every_channel():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert (grey_to_rgb(grey) == grey[..., None]).all()
    assert grey_to_rgb(grey).shape == (2, 3, 3)


def test_a_palette_of_16_bit_is_scaled_and_one_of_8_bit_is_taken():
    indices = np.array([[0, 1]], np.uint8)
    wide = np.array([[0, 65535], [257, 514], [65535, 0]], np.uint16)
    assert palette_to_rgb(indices, wide).tolist() == [[[0, 1, 255], [255, 2, 0]]]
    narrow = np.array([[0, 255], [1, 2], [255, 0]], np.uint16)
    assert palette_to_rgb(indices, narrow).tolist() == [[[0, 1, 255], [255, 2, 0]]]


def test_ink_takes_light_away():
    cmyk = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 128, 255, 51]]], np.uint8)
    assert cmyk_to_rgb(cmyk).tolist() == [[[255, 255, 255], [0, 255, 255], [0, 0, 0], [204, 102, 0]]]


@pytest.mark.parametrize("premultiplied", [False, True])
def test_what_is_transparent_shows_white(premultiplied):
    rng = np.random.default_rng(0)
    alpha = rng.integers(0, 256, (20, 30)).astype(np.uint8)
    rgb = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    opacity = alpha[..., None] / 255
    if premultiplied:
        rgb = np.minimum(rgb, alpha[..., None])
        expected = rgb + 255 * (1 - opacity)
    else:
        expected = rgb * opacity + 255 * (1 - opacity)
    np.testing.assert_array_equal(on_white(rgb, alpha, premultiplied=premultiplied), np.rint(expected))


def test_an_opaque_image_is_left_as_it_is():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    np.testing.assert_array_equal(on_white(rgb, np.full((5, 6), 255, np.uint8)), rgb)
