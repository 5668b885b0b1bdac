"""SIFT agrees with its formula, and changes as it should where a patch is turned, lit otherwise or flat."""

from math import atan2, exp, floor, hypot, pi

import numpy as np
import pytest

from slidecaf.features.manual.sift import CLIP, describe, orient, weights_of


def described(gray):
    size = len(gray)
    return describe(orient(gray), size, size)[0, 0]


def noise(size, seed=0, high=256):
    return np.random.default_rng(seed).integers(0, high, (size, size), dtype=np.uint8)


def by_the_formula(gray):
    """Lowe's descriptor, pixel by pixel."""
    size = len(gray)
    cell = size / 4
    values = np.zeros((4, 4, 8))
    for y in range(1, size - 1):
        for x in range(1, size - 1):
            right = float(gray[y, x + 1]) - float(gray[y, x - 1])
            down = float(gray[y + 1, x]) - float(gray[y - 1, x])
            across, along = x + 0.5 - size / 2, y + 0.5 - size / 2  # of the pixel's middle from the patch's
            weight = hypot(right, down) * exp(-(across**2 + along**2) / (2 * (size / 2) ** 2))
            # in units of cells and of orientations, 0 in the middle of the first
            row, column, turn = (y + 0.5) / cell - 0.5, (x + 0.5) / cell - 0.5, atan2(down, right) / (2 * pi) * 8
            for i in (floor(row), floor(row) + 1):
                for j in (floor(column), floor(column) + 1):
                    for k in (floor(turn), floor(turn) + 1):
                        if 0 <= i < 4 and 0 <= j < 4:
                            share = (1 - abs(row - i)) * (1 - abs(column - j)) * (1 - abs(turn - k))
                            values[i, j, k % 8] += weight * share
    values = values.ravel() / np.linalg.norm(values)
    values = np.minimum(values, 0.2)
    return values / np.linalg.norm(values)


@pytest.mark.parametrize("size", [3, 9, 16, 30])
def test_values_are_those_of_the_formula(size):
    for seed in range(3):
        gray = noise(size, seed)
        np.testing.assert_allclose(described(gray), by_the_formula(gray), atol=2e-6)


def test_a_few_strong_edges_are_clipped_as_in_the_formula():
    gray = noise(32, high=2)
    gray[8:, 8:] = 255
    values = described(gray)
    np.testing.assert_allclose(values, by_the_formula(gray), atol=2e-6)
    largest = np.isclose(values, values.max(), rtol=1e-6)
    assert largest.sum() > 1
    assert values.max() > CLIP  # scaled again


@pytest.mark.parametrize("size", [12, 37, 112])
def test_a_patch_turned_by_90_degrees_has_its_cells_and_orientations_turned(size):
    gray = noise(size)
    values = described(gray).reshape(4, 4, 8)
    turned = described(np.rot90(gray).copy()).reshape(4, 4, 8)  # counterclockwise: what went right goes up
    np.testing.assert_allclose(turned, np.roll(np.rot90(values), 6, axis=2), atol=2e-6)


def test_brightness_and_contrast_change_nothing():
    gray = noise(40, high=100)
    values = described(gray)
    np.testing.assert_array_equal(described(gray + np.uint8(55)), values)
    np.testing.assert_allclose(described(gray * np.uint8(2)), values, atol=1e-6)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_patch_has_zeros(value):
    assert not described(np.full((20, 20), value, np.uint8)).any()


def test_the_norm_is_1():
    for seed in range(20):
        assert np.linalg.norm(described(noise(17, seed))) == pytest.approx(1, abs=1e-6)


def test_an_edge_lies_in_the_orientation_towards_the_bright_side():
    gray = np.repeat(np.arange(0, 240, 6, dtype=np.uint8)[None], 40, axis=0)  # brighter to the right
    by_orientation = described(gray).reshape(16, 8)
    assert (by_orientation[:, 0] > 0).all()
    assert not by_orientation[:, 1:].any()
    assert (described(gray.T.copy()).reshape(16, 8)[:, 2] > 0).all()  # brighter below


def test_cells_share_what_lies_between_their_middles():
    size = 40
    weights = weights_of(size).numpy().astype(float)
    place = np.arange(1, size - 1) + 0.5
    window = np.exp(-((place - 20) ** 2) / (2 * 20**2))
    inner = (place > 5) & (place < 35)  # between the middles of the first cell and the last
    np.testing.assert_allclose((weights.sum(0) / window)[inner], 1, rtol=1e-6)
    np.testing.assert_allclose(weights, weights[::-1, ::-1], rtol=1e-6)
