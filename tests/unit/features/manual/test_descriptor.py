"""Patches have the same features alone and densely, and these are always fit for pooling and for 16 bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from skimage import data

from slidecaf.errors import SlidecafError
from slidecaf.features.manual.descriptor import DIMENSION, describe, describe_densely, to_gray


def tissue(height, width):
    return np.ascontiguousarray(data.immunohistochemistry()[:height, :width])


def check_dense_against_patches(pixels, size, stride):
    found = describe_densely(pixels, size, stride)
    height, width = pixels.shape[:2]
    assert found.shape == ((height - size) // stride + 1, (width - size) // stride + 1, DIMENSION)
    corners = [(row * stride, column * stride) for row, column in np.ndindex(found.shape[:2])]
    alone = describe(np.stack([pixels[y : y + size, x : x + size] for y, x in corners])).reshape(found.shape)
    np.testing.assert_allclose(found[:, :, :128], alone[:, :, :128], atol=2e-6)
    np.testing.assert_array_equal(found[:, :, 128:], alone[:, :, 128:])


def check_values(features):
    assert features.dtype == np.float32
    assert (np.isfinite(features) & (features >= 0)).all()
    assert (features <= 1 + 1e-6).all()
    np.testing.assert_allclose(features.astype(np.float16).astype(float), features, rtol=1e-3, atol=1e-7)
    for start, stop in ((128, 138), (138, 154), (154, 170), (170, 186)):
        np.testing.assert_allclose(features[:, start:stop].sum(1), 1, rtol=1e-5)


def test_a_dense_slide_has_the_features_of_its_patches():
    check_dense_against_patches(tissue(144, 136), 112, 8)


@given(st.integers(3, 40), st.integers(1, 50), st.integers(0, 30), st.integers(0, 30), st.integers(1, 256))
@settings(max_examples=100)
def test_dense_agrees_with_patches_at_any_size_and_stride(size, stride, more_rows, more_columns, high):
    stride = max(stride, 1 + max(more_rows, more_columns) // 4)  # few patches, so that the test is fast
    pixels = np.random.default_rng(size).integers(0, high, (size + more_rows, size + more_columns, 3), dtype=np.uint8)
    check_dense_against_patches(pixels, size, stride)


@given(arrays(np.uint8, st.tuples(st.just(2), *[st.shared(st.integers(3, 12), key="size")] * 2, st.just(3))))
@settings(max_examples=100)
def test_any_pixels_give_values_fit_for_pooling_and_16_bit(patches):
    check_values(describe(patches))


def test_tissue_gives_values_fit_for_pooling_and_16_bit():
    pixels = tissue(512, 512)
    patches = np.stack([pixels[y : y + 336, x : x + 336] for y in (0, 176) for x in (0, 176)])
    features = describe(patches)
    check_values(features)
    np.testing.assert_allclose(np.linalg.norm(features[:, :128], axis=1), 1, rtol=1e-5)
    assert (features > 0).mean() > 0.8


def test_what_lies_around_a_patch_changes_nothing():
    pixels = tissue(60, 60)
    patch, around = pixels[10:50, 10:50], pixels.copy()
    around[:10], around[50:], around[:, :10], around[:, 50:] = 255, 0, 0, 255
    found = describe_densely(around, 40, 10)[1, 1]
    np.testing.assert_allclose(found, describe(patch[None])[0], atol=2e-6)


def test_no_patches_give_no_features():
    assert describe(np.zeros((0, 20, 20, 3), np.uint8)).shape == (0, DIMENSION)


def test_neither_threads_nor_repetition_nor_memory_layout_change_a_bit():
    pixels = tissue(200, 200)
    patches = np.stack([pixels[y : y + 100, x : x + 100] for y in (0, 50, 100) for x in (0, 50, 100)])
    expected = describe(patches)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(describe, [patches] * 4):
            np.testing.assert_array_equal(found, expected)
    planes = np.ascontiguousarray(patches.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(describe(planes), expected)


def test_gray_is_pillows_and_brightness_moves_it_evenly():
    pixels = np.random.default_rng(0).integers(0, 200, (40, 50, 3), dtype=np.uint8)
    gray = to_gray(pixels)
    np.testing.assert_array_equal(gray, np.asarray(Image.fromarray(pixels).convert("L")))
    exact = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray - exact).max() < 0.51
    np.testing.assert_array_equal(to_gray(pixels + np.uint8(55)), gray + np.uint8(55))


@pytest.mark.parametrize(("shape", "size"), [((20, 30, 3), 21), ((20, 30, 3), 2), ((2, 2, 3), 2)])
def test_regions_without_a_patch_are_an_error(shape, size):
    with pytest.raises(SlidecafError, match=f"no patches of {size} px in {shape[1]} × {shape[0]} px"):
        describe_densely(np.zeros(shape, np.uint8), size, 1)


def test_patches_that_are_not_square_are_an_error():
    with pytest.raises(SlidecafError, match="patches are 20 × 30 px; take square ones"):
        describe(np.zeros((1, 30, 20, 3), np.uint8))
