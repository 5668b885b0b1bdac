"""A whole image to regions: planted textures, determinism, cost, images that hold little or nothing."""

import time

import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.segmentation.graph_rlm.slide import CELL, check_size, find_regions, is_white, owners

SETTINGS = {"r_min": 4, "r_strel": 1, "win_size": 96, "dist_thr": [1.25], "comp_thr": [30]}


def planted(size=(512, 768), seed=0):
    """Draw two textures side by side: crowded nuclei in stroma, and scattered lumens in it."""
    height, width = size
    draw, image = np.random.default_rng(seed), np.full((height, width, 3), (225, 140, 190), np.uint8)
    y, x = np.indices(size)
    for left, right, spacing, radius, colour in (
        (0, width // 2, 20, 7, (90, 40, 130)),
        (width // 2, width, 44, 12, (246, 244, 247)),
    ):
        for top in range(0, height, spacing):
            for across in range(left, right, spacing):
                middle = draw.integers(0, spacing // 4, 2) + np.array([top, across]) + spacing // 2
                if middle[1] + radius < right:
                    box = tuple(slice(max(0, at - radius), at + radius + 1) for at in middle)
                    image[box][(y[box] - middle[0]) ** 2 + (x[box] - middle[1]) ** 2 <= radius**2] = colour
    noise = draw.normal(0, 5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def found():
    return find_regions(planted(), **SETTINGS)


def test_two_planted_textures_are_told_apart(found):
    region = found.regions[30, 1.25][found.owner]
    truth = np.broadcast_to(np.arange(region.shape[1]) >= region.shape[1] // 2, region.shape)
    assert region.max() >= 1
    # each region lies on one side, but for what lies in the window around the border
    agreed = sum(max((truth[region == one]).sum(), (~truth[region == one]).sum()) for one in range(region.max() + 1))
    assert agreed / region.size > 0.95
    left, right = (np.bincount(region[truth == side]).argmax() for side in (False, True))
    assert left != right


def test_circles_have_the_stains_that_were_drawn(found):
    nuclei, lumens = (found.circles[found.circles[:, 3] == stain] for stain in (0, 2))
    assert (nuclei[:, 0] < 768 // 2).mean() > 0.99
    assert (lumens[:, 0] >= 768 // 2).mean() > 0.99
    assert np.median(nuclei[:, 2]) == pytest.approx(7, abs=1)
    assert np.median(lumens[:, 2]) == pytest.approx(12, abs=1)


def test_an_image_segmented_again_is_the_same_to_the_last_bit(found):
    again = find_regions(planted(), **SETTINGS)
    for name in ("circles", "features", "owner"):
        assert getattr(again, name).tobytes() == getattr(found, name).tobytes()
    assert all(again.regions[pair].tobytes() == found.regions[pair].tobytes() for pair in found.regions)


def test_each_pair_of_thresholds_has_regions_of_its_own():
    found = find_regions(planted((256, 384)), **{**SETTINGS, "dist_thr": [1.25, 3], "comp_thr": [10, 40]})
    assert list(found.regions) == [(10, 1.25), (10, 3), (40, 1.25), (40, 3)]
    counts = {pair: of.max() + 1 for pair, of in found.regions.items()}
    assert counts[10, 1.25] >= counts[40, 1.25]


def test_cells_belong_to_the_circle_that_they_lie_in_or_the_nearest():
    circles = np.array([[20, 20, 12], [70, 60, 9]])
    owner = owners(circles, (97, 83))
    assert owner.shape == (13, 11)
    middles = [np.arange(count) * CELL + (CELL - 1) / 2 for count in owner.shape]
    for number, (x, y, radius) in enumerate(circles):
        inside = (middles[0][:, None] - y) ** 2 + (middles[1] - x) ** 2 <= radius**2
        assert (owner[inside] == number).all()
    assert owner[0, 0] == 0
    assert owner[-1, -1] == 1
    assert (owners(np.empty((0, 4), np.int64), (20, 20)) == -1).all()
    assert owners(np.array([[3, 3, 1]]), (9, 9)).tolist() == [[0, 0], [0, 0]]  # no cell's middle lies in it


@pytest.mark.parametrize("size", [(40, 50), (8, 8), (1, 1), (3, 400)])
def test_an_image_smaller_than_a_window_or_a_circle_is_no_error(size):
    found = find_regions(planted((512, 768))[: size[0], : size[1]], **SETTINGS)
    assert found.owner.shape == (-(-size[0] // CELL), -(-size[1] // CELL))
    for region in found.regions.values():
        assert len(region) == len(found.circles) > 0
    assert size != (1, 1) or not found.regions


def test_white_is_told_by_every_pixel_and_channel():
    image = np.full((30, 30, 3), 201, np.uint8)
    assert is_white(image)
    image[7, 7, 1] = 200
    assert not is_white(image)


def test_a_slide_that_is_too_large_is_refused_with_what_to_do():
    check_size(10_000, 10_000, where="slide a: a.png")
    with pytest.raises(SlidecafError) as caught:
        check_size(10_001, 10_000, where="slide a: a.png")
    assert "slide a: a.png has 10001 x 10000 px, more than the 100 megapixels" in str(caught.value)
    assert "cut sections out of it, or leave the method out" in str(caught.value)


def test_a_megapixel_takes_seconds_and_tens_of_bytes_a_pixel():
    import tracemalloc

    pixels = planted((1024, 1024))
    start = time.process_time()
    find_regions(pixels, **{**SETTINGS, "r_min": 8, "r_strel": 2})
    assert time.process_time() - start < 10
    tracemalloc.start()
    find_regions(pixels, **{**SETTINGS, "r_min": 8, "r_strel": 2})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * pixels.shape[0] * pixels.shape[1] + 50e6
