"""Local binary patterns are scikit-image's, and exact where pixels are equal."""

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from slidecaf.features.manual.lbp import codes


def equal_to_their_interpolation(gray):
    """Tell pixels that a diagonal neighbour exactly equals, where scikit-image's floats may say less."""
    inner = gray[1:-1, 1:-1].astype(int)
    found = np.zeros(inner.shape, bool)
    for y in (-1, 1):
        for x in (-1, 1):
            rows, columns = slice(1 + y, len(gray) - 1 + y), slice(1 + x, gray.shape[1] - 1 + x)
            corner = gray[rows, columns].astype(int)
            beside = gray[rows, 1:-1].astype(int) + gray[1:-1, columns]
            found |= (corner == inner) & (beside == 2 * inner)
    return found


@pytest.mark.parametrize("high", [3, 20, 256])
@pytest.mark.parametrize("shape", [(200, 300), (3, 3), (4, 50)])
def test_codes_are_those_of_scikit_image(high, shape):
    gray = np.random.default_rng(high).integers(0, high, shape, dtype=np.uint8)
    theirs = local_binary_pattern(gray, 8, 1, method="uniform")[1:-1, 1:-1]
    clear = ~equal_to_their_interpolation(gray)
    np.testing.assert_array_equal(codes(gray)[clear], theirs[clear])
    assert high < 256 or clear.mean() > 0.99


@pytest.mark.parametrize("value", [0, 1, 77, 254, 255])
def test_in_a_flat_patch_all_neighbours_are_as_bright_as_the_pixel(value):
    np.testing.assert_array_equal(codes(np.full((9, 12), value, np.uint8)), np.full((7, 10), 8))


def test_brightness_and_turning_change_no_pattern():
    gray = np.random.default_rng(0).integers(0, 200, (50, 60), dtype=np.uint8)
    found = codes(gray)
    np.testing.assert_array_equal(codes(gray + np.uint8(55)), found)
    for turns in (1, 2, 3):
        np.testing.assert_array_equal(codes(np.rot90(gray, turns).copy()), np.rot90(found, turns))


def test_a_bright_spot_a_corner_and_a_saddle():
    flat = np.full((3, 3), 10, np.uint8)

    def changed(**values):
        gray = flat.copy()
        for place, value in values.items():
            gray[int(place[1]), int(place[2])] = value
        return int(codes(gray)[0, 0])

    assert changed(p11=20) == 0  # no neighbour is as bright
    assert changed(p00=0, p01=0, p02=0) == 5  # an edge
    assert changed(p01=0, p21=0) == 9  # dark above and below: four changes around the circle
