import re

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from slidecaf.errors import SlideError
from slidecaf.slides.base import Level, Slide, slide_errors, whole_tiles


class ArraySlide(Slide):
    """A slide held in memory that remembers what was read of it."""

    def __init__(self, image, **options):
        super().__init__("s", "s.tif", [Level(image.shape[1], image.shape[0], 1.0)], **{"mpp": None, **options})
        self.image, self.regions = image, []

    def _release(self):
        self.image = None

    def _read(self, x, y, width, height, level):
        self.regions.append((x, y, width, height))
        return self.image[y : y + height, x : x + width]


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_a_region_is_what_lies_there():
    image = noise(20, 30)
    with ArraySlide(image) as slide:
        region = slide.read(3, 4, 10, 5)
    np.testing.assert_array_equal(region, image[4:9, 3:13])
    assert region.flags.c_contiguous


@pytest.mark.parametrize(
    "region", [(-1, 0, 5, 5), (0, -1, 5, 5), (26, 0, 5, 5), (0, 16, 5, 5), (0, 0, 0, 5), (0, 0, 5, -1)]
)
def test_a_region_that_is_not_inside_is_refused(region):
    with ArraySlide(noise(20, 30)) as slide, pytest.raises(ValueError, match="inside level 0 of slide s"):
        slide.read(*region)


@pytest.mark.parametrize("level", [-1, 1])
def test_a_level_that_is_not_there_is_refused(level):
    with ArraySlide(noise(20, 30)) as slide, pytest.raises(ValueError, match=f"no level {level}"):
        slide.read(0, 0, 1, 1, level)


def test_a_closed_slide_is_not_read():
    slide = ArraySlide(noise(2, 2))
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        slide.read(0, 0, 1, 1)


@settings(max_examples=100)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    corner=st.tuples(st.integers(-40, 40), st.integers(-40, 40)),
    extent=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_beyond_the_border_pixels_are_reflected_as_numpy_reflects_them(size, corner, extent):
    image = noise(*size)
    margin = 80
    around = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    (x, y), (width, height) = corner, extent
    with ArraySlide(image) as slide:
        region = slide.read_padded(x, y, width, height)
    np.testing.assert_array_equal(region, around[margin + y : margin + y + height, margin + x : margin + x + width])


def test_padding_reads_only_what_the_region_shows():
    with ArraySlide(noise(500, 400)) as slide:
        slide.read_padded(390, -5, 30, 20)
        # Columns 380 to 399 are shown (the last 20 reflected to 398 ... 379), rows 0 to 14.
        assert slide.regions == [(379, 0, 21, 15)]


def test_the_best_level_is_the_coarsest_that_is_fine_enough():
    slide = ArraySlide(noise(8, 8))
    slide.levels = tuple(Level(1, 1, downsample) for downsample in (1.0, 2.0, 4.003, 16.1))
    wanted = [0.5, 1, 1.9, 2, 3.9, 4, 4.1, 15.9, 16, 100]
    assert [slide.best_level(downsample) for downsample in wanted] == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("file_mpp", "mpp"),
    [((0.25, 0.25), 0.25), ((0.2, 0.3), 0.25), ((352.8, 352.8), None), ((0.001, 0.25), None), (None, None)],
)
def test_the_resolution_of_the_file_counts_where_it_is_plausible(file_mpp, mpp):
    slide = ArraySlide(noise(2, 2), file_mpp=file_mpp)
    assert slide.mpp == mpp
    assert slide.mpp_from == ("" if mpp is None else "file")


def test_the_resolution_of_the_sheet_wins():
    slide = ArraySlide(noise(2, 2), mpp=0.5, file_mpp=(0.25, 0.3))
    assert (slide.mpp, slide.mpp_from, slide.is_square) == (0.5, "sheet", True)


@pytest.mark.parametrize(("file_mpp", "square"), [((0.25, 0.25), True), ((0.2500, 0.2525), True), ((0.25, 0.5), False)])
def test_pixels_that_are_not_square_are_known(file_mpp, square):
    assert ArraySlide(noise(2, 2), file_mpp=file_mpp).is_square == square


@pytest.mark.parametrize("error", [KeyError("x"), OSError(22, "Invalid argument"), ZeroDivisionError("no")])
def test_any_error_of_a_library_names_slide_and_file(error):
    message = re.escape("slide s1: folder/s1.tif: cannot be opened")
    with pytest.raises(SlideError, match=message) as caught, slide_errors("s1", "folder/s1.tif"):
        raise error
    assert caught.value.__cause__ is error


def test_blocks_are_whole_tiles():
    assert whole_tiles(256, 512) == (1024, 1024)
    assert whole_tiles(240, 1000) == (960, 1000)
    assert whole_tiles(4096, 1) == (1024, 1024)
