import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.segmentation.cells import Cells, box_sums


@st.composite
def cut_slides(draw):
    """A slide and patches anywhere on it, some reaching beyond the border."""
    width, height = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    places = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    coords = np.array(draw(st.lists(places, max_size=6)), np.int64).reshape(-1, 2)
    return width, height, coords, draw(st.integers(1, 25))


@settings(max_examples=60)
@given(cut_slides())
def test_every_patch_is_a_whole_number_of_cells_and_the_cells_are_the_slide(case):
    width, height, coords, size = case
    cells = Cells.of_patches(coords, size, width, height)
    assert cells.areas.sum() == width * height
    assert (cells.areas > 0).all()
    assert cells.areas.shape == cells.shape
    for (x, y), left, right, top, bottom in zip(coords, *cells.spans(coords, size), strict=True):
        assert (cells.cuts_x[left], cells.cuts_x[right]) == (x, min(x + size, width))
        assert (cells.cuts_y[top], cells.cuts_y[bottom]) == (y, min(y + size, height))


def test_cells_are_squares_of_the_stride_where_it_divides_the_patch_size():
    coords = [(x, y) for y in range(0, 40, 4) for x in range(0, 32, 4)]
    cells = Cells.of_patches(coords, 12, 35, 42)
    assert np.diff(cells.cuts_x).tolist() == [4] * 8 + [3]
    assert np.diff(cells.cuts_y).tolist() == [4] * 10 + [2]


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_given_the_stride_cells_are_of_one_size_where_patches_were_left_out(kept):
    coords = np.array([(16, 0), (24, 40), (80, 72)][:kept], np.int64).reshape(-1, 2)
    cells = Cells.of_patches(coords, 24, 107, 93, stride=8)
    assert np.diff(cells.cuts_x).tolist() == [8] * 13 + [3]
    assert np.diff(cells.cuts_y).tolist() == [8] * 11 + [5]


def test_a_stride_that_is_no_whole_number_cuts_where_the_tiling_puts_its_patches():
    starts = [round(k * 15.83) for k in range(20)]
    coords = np.array([(x, x) for x in starts], np.int64)
    cells = Cells.of_patches(coords, 16, 310, 310, stride=15.83)
    ends = [x + 16 for x in starts if x + 16 <= 310]
    assert cells.cuts_x.tolist() == sorted({*starts, *ends, 310})


def test_a_slide_without_patches_is_one_cell():
    cells = Cells.of_patches(np.empty((0, 2)), 112, 300_000, 200_000)
    assert cells.shape == (1, 1)
    assert cells.areas.tolist() == [[60_000_000_000]]


@settings(max_examples=40)
@given(cut_slides(), st.lists(st.integers(1, 7), min_size=1), st.integers(0, 2**32 - 1))
def test_counts_are_those_of_a_loop_over_pixels_however_the_strips_are_cut(case, heights, seed):
    width, height, coords, size = case
    cells = Cells.of_patches(coords, size, width, height)
    masks = np.random.default_rng(seed).random((2, height, width)) < 0.5
    expected = np.zeros((2, *cells.shape), int)
    for k in range(2):
        for y in range(height):
            for x in range(width):
                row = max(i for i, cut in enumerate(cells.cuts_y[:-1]) if cut <= y)
                column = max(i for i, cut in enumerate(cells.cuts_x[:-1]) if cut <= x)
                expected[k, row, column] += masks[k, y, x]
    ends = np.cumsum(heights)
    found = cells.count(np.split(masks, ends[ends < height], axis=1))
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=40)
@given(cut_slides())
def test_expanding_gives_each_pixel_its_cells_value_in_any_rows(case):
    width, height, coords, size = case
    cells = Cells.of_patches(coords, size, width, height)
    values = np.arange(np.prod(cells.shape)).reshape(cells.shape)
    whole = cells.expand(values, 0, height)
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            y, x = (slice(*cuts[k : k + 2]) for cuts, k in ((cells.cuts_y, row), (cells.cuts_x, column)))
            assert (whole[y, x] == values[row, column]).all()
    assert whole.shape == (height, width)
    middle = height // 2
    np.testing.assert_array_equal(
        np.vstack([cells.expand(values, 0, middle), cells.expand(values, middle, height)]), whole
    )


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_box_sums_are_sums_over_slices(kind):
    rng = np.random.default_rng(3)
    values = (rng.integers(0, 256, (30, 40)) if kind is not bool else rng.random((30, 40)) < 0.5).astype(kind)
    left, top = rng.integers(0, 40, 50), rng.integers(0, 30, 50)
    right, bottom = rng.integers(left, 41), rng.integers(top, 31)
    expected = [values[y0:y1, x0:x1].sum(dtype=float) for x0, x1, y0, y1 in zip(left, right, top, bottom, strict=True)]
    np.testing.assert_array_equal(box_sums(values, left, right, top, bottom), expected)


def test_box_sums_of_single_precision_do_not_lose_the_last_pixel():
    values = np.full((100, 100), 2.0**20, np.float32)
    values[-1, -1] += 1
    (found,) = box_sums(values, *(np.array([k]) for k in (0, 100, 0, 100)))
    assert found == 100 * 100 * 2**20 + 1
