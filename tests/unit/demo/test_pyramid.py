from itertools import pairwise

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slidecaf.demo import DemoSlide, draw_slide, write_slide
from slidecaf.demo.pyramid import halve


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    rgb = draw_slide(DemoSlide("gbm-x", "GBM", "patient-x", "train", 0.15), size=1301)[0][:, :1127]
    path = tmp_path_factory.mktemp("pyramid") / "slide.tiff"
    write_slide(path, rgb)
    return path, rgb


def test_openslide_reads_every_level_and_the_resolution(slide):
    path, rgb = slide
    with openslide.OpenSlide(path) as opened:
        assert opened.properties["openslide.vendor"] == "generic-tiff"
        assert opened.level_dimensions == ((1127, 1301), (563, 650), (281, 325), (140, 162))
        assert float(opened.properties["openslide.mpp-x"]) == pytest.approx(0.5)
        assert float(opened.properties["openslide.mpp-y"]) == pytest.approx(0.5)
        read = np.asarray(opened.read_region((0, 0), 0, (1127, 1301)).convert("RGB"))
    assert np.abs(read.astype(int) - rgb).mean() < 4


def test_the_file_says_that_it_is_synthetic_and_nothing_of_when_it_was_made(slide):
    with tifffile.TiffFile(slide[0]) as tiff:
        for level, page in enumerate(tiff.pages):
            assert "synthetic" in page.description
            assert page.tilewidth == page.tilelength == 256
            assert "DateTime" not in page.tags
            assert page.subfiletype == (level > 0)


def test_a_lower_level_is_the_mean_of_the_level_below(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (301, 418, 3), np.uint8)
    write_slide(tmp_path / "slide.tiff", rgb, mpp=0.25, tile=128, quality=None)
    with tifffile.TiffFile(tmp_path / "slide.tiff") as tiff:
        levels = [page.asarray() for page in tiff.pages]
    np.testing.assert_array_equal(levels[0], rgb)
    assert [level.shape[:2] for level in levels] == [(301, 418), (150, 209), (75, 104)]
    for below, level in pairwise(levels):
        for y, x in ((0, 0), (37, 50), (74, 103)):
            mean = below[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(4, 3).mean(0)
            assert np.abs(level[y, x] - mean).max() <= 0.5


def test_the_border_is_not_blackened_by_what_fills_up_a_tile(tmp_path):
    write_slide(tmp_path / "slide.tiff", np.full((300, 300, 3), 245, np.uint8))
    assert tifffile.imread(tmp_path / "slide.tiff", key=0).min() >= 243


def test_the_same_image_gives_the_same_bytes(slide, tmp_path):
    write_slide(tmp_path / "again.tiff", slide[1])
    assert (tmp_path / "again.tiff").read_bytes() == slide[0].read_bytes()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 3), (256, 256)])
def test_images_of_any_shape_are_written(tmp_path, shape):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    write_slide(tmp_path / "slide.tiff", rgb, quality=None)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "slide.tiff", key=0), rgb)


@settings(max_examples=20)
@given(st.data())
def test_halving_leaves_the_mean_of_four_and_no_odd_row(data):
    shape = data.draw(st.tuples(st.integers(2, 9), st.integers(2, 9), st.just(3)))
    image = data.draw(arrays(np.uint8, shape))
    half = halve(image)
    assert half.shape == (shape[0] // 2, shape[1] // 2, 3)
    for y, x in np.ndindex(half.shape[:2]):
        mean = image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float).mean((0, 1))
        np.testing.assert_array_equal(half[y, x], np.floor(mean + 0.5))
