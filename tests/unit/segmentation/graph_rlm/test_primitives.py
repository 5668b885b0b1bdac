"""Circles that are fitted into the pixels of a stain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk
from skimage.morphology import closing, opening

from slidecaf.segmentation.graph_rlm.primitives import disc, fit_circles, stain_masks

DISCS = [(40, 30, 12), (90, 100, 20), (150, 60, 9), (60, 150, 15)]  # x, y, radius


def drawn(circles, shape=(200, 200)):
    mask = np.zeros(shape, bool)
    for x, y, radius in circles:
        mask[disk((y, x), radius + 0.5, shape=shape)] = True
    return mask


def inside(circle, shape):
    y, x = np.indices(shape)
    return (x - circle[0]) ** 2 + (y - circle[1]) ** 2 <= circle[2] ** 2


def test_discs_are_found_where_they_were_drawn_from_large_to_small():
    found = fit_circles(drawn(DISCS), 8)
    assert sorted(map(tuple, found.tolist())) == sorted(DISCS)
    assert found[:, 2].tolist() == [20, 15, 12, 9]


def test_what_is_smaller_than_the_least_radius_is_left():
    assert fit_circles(drawn(DISCS), 13)[:, 2].tolist() == [20, 15]
    assert fit_circles(drawn(DISCS), 21).shape == (0, 3)
    assert fit_circles(np.zeros((5, 5), bool), 1).shape == (0, 3)


def room(mask, circles):
    """Return for each pixel how far the nearest one outside the mask, or beyond the image, is, and each circle's edge.

    A circle fits around a pixel where its radius is smaller.
    """
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    places = np.argwhere(np.ones(mask.shape, bool))
    least = np.sqrt(((places[:, None] - outside) ** 2).sum(axis=2).min(axis=1))
    for x, y, radius in circles:
        least = np.minimum(least, np.sqrt(((places - (y, x)) ** 2).sum(axis=1)) - radius)
    return least.reshape(mask.shape)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_each_circle_is_the_largest_that_fits_beside_those_before_it(seed):
    mask = opening(np.random.default_rng(seed).random((30, 36)) > 0.1, disc(1))
    circles, r_min = fit_circles(mask, 2), 2
    for number, (x, y, radius) in enumerate(circles):
        free = room(mask, circles[:number])
        assert radius < free[y, x] + 1e-4
        assert radius + 1 >= free.max() - 1e-4  # the next whole px fits nowhere
    assert room(mask, circles).max() <= r_min + 1e-4
    covered = sum((inside(circle, mask.shape).astype(int) for circle in circles), np.zeros(mask.shape, int))
    assert covered.max() <= 1
    assert not (covered.astype(bool) & ~mask).any()


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
def test_stains_are_closed_and_opened_the_darkest_first(radius):
    stains = np.random.default_rng(3).choice(3, (40, 50), p=[0.5, 0.3, 0.2])
    masks, taken = stain_masks(stains, radius), np.zeros(stains.shape, bool)
    for stain in range(3):
        padded = np.pad(stains == stain, 4 * radius, mode="edge")
        closed = closing(padded, disc(radius))[4 * radius :, 4 * radius :][:40, :50]
        free = np.pad(closed & ~taken, 4 * radius, mode="edge")
        expected = opening(free, disc(radius))[4 * radius :, 4 * radius :][:40, :50]
        core = slice(2 * radius, -2 * radius or None)  # at the border padding once or twice may differ
        np.testing.assert_array_equal(masks[stain][core, core], expected[core, core])
        taken |= masks[stain]
    assert masks.sum(axis=0).max() <= 1


def test_a_speck_is_closed_and_another_opened_away():
    stains = np.zeros((40, 40), np.uint8)
    stains[:, 20:] = 2
    stains[10, 10] = stains[10, 30] = 1
    masks = stain_masks(stains, 2)
    assert masks[0, 10, 10]
    assert masks[2, 10, 30]
    assert not masks[1].any()
