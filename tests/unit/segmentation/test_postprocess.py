import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import morphology

from slidecaf.errors import SlidecafError
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.postprocess import (
    binarise,
    clean,
    fill_small_holes,
    filled_sums,
    remove_small_objects,
    running_sums,
    smooth,
)


def regular(rows, columns, side, *, last=None):
    """Square cells, the last row and column cut off by the border."""
    cuts = [np.arange(n + 1) * side for n in (columns, rows)]
    if last is not None:
        cuts = [np.append(cut[:-1], cut[-2] + last) for cut in cuts]
    return Cells(*cuts)


@st.composite
def masks(draw):
    """Cells of random sides and a mask on them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    if draw(st.booleans()):
        cells = regular(rows, columns, 4, last=draw(st.integers(1, 4)))
    else:
        cells = Cells(*(np.append(0, rng.integers(1, 6, n).cumsum()) for n in (columns, rows)))
    return cells, rng.random((rows, columns)) < draw(st.sampled_from([0, 0.3, 0.5, 0.7, 1])), rng


sizes = st.lists(st.sampled_from([0, 1, 2, 9, 16, 17, 31, 32, 48, 100, 10_000]), min_size=1, max_size=4)


@settings(max_examples=80)
@given(masks(), sizes)
def test_small_objects_and_holes_are_those_of_scikit_image_on_all_pixels(case, areas):
    cells, mask, _ = case
    height = int(cells.cuts_y[-1])
    pixels = cells.expand(mask, 0, height)
    for least, found in zip(areas, remove_small_objects(mask, cells.areas, areas), strict=True):
        # max_size goes too, while an object of just min_object stays
        expected = morphology.remove_small_objects(pixels, max_size=max(least - 1, 0), connectivity=1)
        np.testing.assert_array_equal(cells.expand(found, 0, height), expected)
    for most, found in zip(areas, fill_small_holes(mask, cells.areas, areas), strict=True):
        expected = morphology.remove_small_holes(pixels, max_size=most, connectivity=1) if mask.any() else pixels
        np.testing.assert_array_equal(cells.expand(found, 0, height), expected)


@settings(max_examples=60)
@given(masks(), sizes)
def test_sums_over_filled_masks_are_those_over_the_masks_themselves(case, areas):
    cells, mask, rng = case
    px, other = cells.areas, rng.integers(0, 50, mask.shape)
    for found, filled in zip(
        filled_sums(mask, running_sums(px, other), areas), fill_small_holes(mask, px, areas), strict=True
    ):
        assert found.tolist() == [px[filled].sum(), other[filled].sum()]


def test_an_object_of_just_the_area_stays_and_a_hole_of_just_the_area_is_filled():
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    areas = regular(5, 5, 4).areas
    assert [found.sum() for found in remove_small_objects(mask, areas, [16, 17])] == [1, 0]
    assert [found.sum() for found in fill_small_holes(~mask, areas, [15, 16])] == [24, 25]


def test_a_mask_without_necrosis_has_no_holes():
    nothing = np.zeros((3, 3), bool)
    assert not fill_small_holes(nothing, np.ones((3, 3), int), [100])[0].any()
    small = np.eye(3, dtype=bool)
    cleaned = clean(small, np.ones((3, 3), int), min_object=2, max_hole=100, covered=np.ones((3, 3), bool))
    assert not cleaned.any()


def test_cells_that_share_a_corner_only_are_two_objects():
    assert not remove_small_objects(np.eye(3, dtype=bool), np.ones((3, 3), int), [2])[0].any()


def test_a_run_that_ends_a_row_is_not_joined_with_the_next_row():
    mask = np.array([[0, 0, 1], [1, 0, 0]], bool)
    assert not remove_small_objects(mask, np.ones((2, 3), int), [2])[0].any()


def test_the_mask_that_is_handed_in_stays_as_it_is():
    mask = np.random.default_rng(0).random((20, 20)) < 0.5
    before = mask.copy()
    areas = np.full((20, 20), 9)
    clean(mask, areas, min_object=30, max_hole=30, covered=np.ones((20, 20), bool))
    np.testing.assert_array_equal(mask, before)


@settings(max_examples=40)
@given(masks(), st.integers(0, 60), st.integers(0, 400), st.floats(-2, 2))
def test_cleaning_is_scikit_images_and_no_cell_without_a_patch_becomes_necrosis(case, least, most, threshold):
    cells, mask, rng = case
    values = rng.normal(size=mask.shape).astype(np.float32)
    values[mask] = np.nan
    covered = ~np.isnan(values)
    found = clean(binarise(values, threshold), cells.areas, min_object=least, max_hole=most, covered=covered)
    assert not found[np.isnan(values)].any()
    height = int(cells.cuts_y[-1])
    pixels = cells.expand(values, 0, height)
    kept = morphology.remove_small_objects(pixels > np.float32(threshold), max_size=max(least - 1, 0))
    filled = morphology.remove_small_holes(kept, max_size=most) if kept.any() else kept
    np.testing.assert_array_equal(cells.expand(found, 0, height), filled & ~np.isnan(pixels))


def test_binarising_compares_in_single_precision_and_a_value_is_not_above_itself():
    values = np.array([[0.1, np.nextafter(np.float32(0.1), np.float32(1)), np.nan, np.inf, -np.inf]], np.float32)
    for threshold in (0.1, float(np.float32(0.1))):
        assert binarise(values, threshold).tolist() == [[False, True, False, True, False]]


def test_no_smoothing_returns_the_map():
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(smooth(values, Cells(np.array([0, 1, 9, 10, 12]), np.array([0, 2, 3, 7])), 0), values)


@pytest.mark.parametrize("sigma", [1, 6, 100])
def test_constants_stay_and_so_does_nan(sigma):
    values = np.full((20, 30), -1.3, np.float32)
    values[:5, 3:20] = np.nan
    values[12] = np.nan
    np.testing.assert_allclose(smooth(values, regular(20, 30, 8, last=3), sigma), values, rtol=1e-6)


def test_all_nan_stays_without_a_warning(recwarn):
    values = np.full((4, 5), np.nan, np.float32)
    assert np.isnan(smooth(values, regular(4, 5, 8), 4)).all()
    assert not recwarn.list


def test_smoothing_is_nearly_the_gaussian_over_the_pixels_that_have_a_value():
    rng = np.random.default_rng(1)
    cells = regular(40, 50, 4, last=2)
    values = ndimage.gaussian_filter(rng.normal(size=(40, 50)), 2)
    values[:9, 20:] = np.nan
    values = (values / np.nanstd(values)).astype(np.float32)
    sigma = 12
    pixels = cells.expand(values.astype(float), 0, 158)
    mass = (~np.isnan(pixels)).astype(float)
    smoothed = ndimage.gaussian_filter(np.nan_to_num(pixels), sigma, mode="constant")
    smoothed /= ndimage.gaussian_filter(mass, sigma, mode="constant")
    means = np.add.reduceat(np.add.reduceat(smoothed, cells.cuts_y[:-1], 0), cells.cuts_x[:-1], 1) / cells.areas
    found = smooth(values, cells, sigma)
    assert found.dtype == np.float32
    assert np.array_equal(np.isnan(found), np.isnan(values))
    # the centre of a cell that the border cuts off is taken to be that of a whole one
    assert np.nanmax(np.abs(found - means)) < 0.04 * np.ptp(found[~np.isnan(found)])
    assert np.nanmax(np.abs(found - means)[:-1, :-1]) < 0.02 * np.ptp(found[~np.isnan(found)])


def test_cells_without_a_value_give_nothing_and_others_weigh_by_their_area():
    values = [1.0, 3.0, np.nan, 1000.0]
    weight = [64, 64, 0, 32]
    cells = Cells(np.array([0, 8, 16, 24, 28]), np.array([0, 8]))
    expected = []
    for k in range(4):
        shares = [np.exp(-((k - j) ** 2) / 2) * weight[j] for j in range(4)]
        expected.append(sum(shares[j] * values[j] for j in (0, 1, 3)) / sum(shares) if k != 2 else np.nan)
    np.testing.assert_allclose(smooth(np.array([values], np.float32), cells, 8.0), [expected], rtol=1e-6)


def test_smoothing_never_leaves_the_range_of_the_values():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(15, 15)).astype(np.float32)
    values[rng.random((15, 15)) < 0.3] = np.nan
    found = smooth(values, regular(15, 15, 8, last=1), 10)
    assert np.nanmin(values) <= np.nanmin(found) < np.nanmax(found) <= np.nanmax(values)


@pytest.mark.parametrize(("cuts_x", "cuts_y"), [([0, 8, 18, 26], [0, 8]), ([0, 8], [0, 7, 8, 15])])
def test_cells_of_several_sizes_are_not_smoothed(cuts_x, cuts_y):
    cells = Cells(np.array(cuts_x), np.array(cuts_y))
    with pytest.raises(SlidecafError, match=r"write smooth: \[0\]"):
        smooth(np.zeros(cells.shape, np.float32), cells, 4)
