import numpy as np

from slidecaf.viewer.boxes import box_outlines

SLIDE = (1000, 700)


def draw(coords, size, tile, spacing=100):
    return box_outlines(np.array(coords, np.int64).reshape(-1, 2), size, spacing=spacing, slide=SLIDE, tile=tile)


def test_an_outline_is_the_first_and_last_pixels_of_its_patch():
    drawn = draw([(10, 20)], 30, (0, 0, 0))
    expected = np.zeros((256, 256), np.uint8)
    expected[20:50, 10:40] = 2
    expected[21:49, 11:39] = 1
    assert np.array_equal(drawn, expected)


def test_tiles_fit_together_to_one_picture_of_all_patches():
    rng = np.random.default_rng(0)
    coords = rng.integers(0, 900, (40, 2))
    expected = np.zeros((700, 1000), np.uint8)
    for x, y in coords:
        expected[y : y + 64, x : x + 64] = np.maximum(expected[y : y + 64, x : x + 64], 1)
    for x, y in coords:
        for rows, columns in (([y, y + 63], slice(x, x + 64)), (slice(y, y + 64), [x, x + 63])):
            inside = np.zeros((1100, 1100), bool)
            inside[rows, columns] = True
            expected[inside[:700, :1000]] = 2
    tiles = [[draw(coords, 64, (0, column, row)) for column in range(4)] for row in range(3)]
    assert np.array_equal(np.block(tiles), expected)


def test_a_reduced_outline_lies_on_the_reduced_pixels_of_the_patch():
    drawn = draw([(101, 51)], 98, (2, 0, 0))  # 101 to 198 and 51 to 148 are 25 to 49 and 12 to 37 in fourths
    rows, columns = np.nonzero(drawn == 2)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 37, 25, 49)


def test_patches_too_small_or_too_close_for_outlines_are_filled():
    assert draw([(0, 0)], 8, (2, 0, 0)).max() == 1
    assert draw([(0, 0), (8, 0)], 112, (2, 0, 0), spacing=8).max() == 1
    assert draw([(0, 0), (8, 0)], 112, (1, 0, 0), spacing=8).max() == 2


def test_no_patches_draw_nothing():
    assert not draw([], 64, (0, 0, 0)).any()
