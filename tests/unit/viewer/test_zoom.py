import numpy as np
import pytest
import tifffile
from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.slides import open_slide
from slidecaf.viewer.fields import Field, comparison, confidence
from slidecaf.viewer.slide_tiles import SlidePyramid
from slidecaf.viewer.zoom import Pyramid, reductions, tile_box


class Raster:
    """An array that is read by regions, as files are."""

    def __init__(self, values):
        self.values, self.most = values, 0
        self.height, self.width = values.shape

    def read(self, x, y, width, height):
        assert x + width <= self.width
        assert y + height <= self.height
        self.most = max(self.most, width * height)
        return self.values[y : y + height, x : x + width]


def field(*arrays, combine=confidence):
    return Field([Raster(values) for values in arrays], combine, close=lambda: None)


def mosaic(pyramid, reduction):
    """Put all tiles of a reduction together."""
    rows, row = [], 0
    while tile_box(pyramid.width, pyramid.height, reduction, 0, row):
        tiles, column = [], 0
        while tile_box(pyramid.width, pyramid.height, reduction, column, row):
            tiles.append(pyramid.tile(reduction, column, row))
            column += 1
        rows.append(np.concatenate(tiles, axis=1))
        row += 1
    return np.concatenate(rows)


def block_means(values, side):
    """The plain definition: a mean over what exists of each square."""
    height, width = values.shape[:2]
    return np.array(
        [
            [values[y : y + side, x : x + side].mean(axis=(0, 1)) for x in range(0, width, side)]
            for y in range(0, height, side)
        ]
    )


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(1, 1, 0), (256, 9, 0), (257, 9, 1), (512, 512, 1), (513, 3, 2)]
)
def test_the_coarsest_reduction_is_one_tile(width, height, expected):
    assert reductions(width, height) == expected
    assert tile_box(width, height, expected, 1, 0) is None
    assert tile_box(width, height, expected + 1, 0, 0) is None


@pytest.mark.parametrize(("width", "height"), [(300, 293), (2600, 32)])  # the second has a reduced overview
def test_pixels_of_a_map_are_means_of_squares(width, height):
    values = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    pyramid = field(values)
    for reduction in range(reductions(width, height) + 1):
        means = mosaic(pyramid, reduction)
        assert np.allclose(means[..., 0], block_means(values, 1 << reduction), atol=1e-4)
        assert np.all(means[..., 1] == 1)


def test_what_has_no_value_counts_for_nothing_and_shows_as_a_share():
    values = np.full((256, 512), 3, np.float32)
    values[:, 1::2] = np.nan
    values[:, 300:] = np.nan
    means = mosaic(field(values), 1)
    assert np.all(means[:, :150] == (3, 0.5))
    assert np.all(means[:, 150:] == 0)


def test_a_comparison_tells_three_kinds_apart():
    predicted = np.array([[255, 255], [0, 0]], np.uint8)
    truth = np.array([[True, False], [True, False]])
    means = field(predicted, truth, combine=comparison).tile(0, 0, 0)
    assert means[..., :3].tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]]


def test_large_maps_are_read_in_small_pieces():
    values = np.zeros((3000, 5000), np.float32)
    pyramid = field(values)
    mosaic(pyramid, reductions(5000, 3000))
    assert pyramid._rasters[0].most <= 1024**2
    assert pyramid.nbytes <= 2048**2 * 8


def slide_file(tmp_path, pixels, *, level=None):
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(pixels, photometric="rgb", tile=(128, 128), compression="deflate")
        if level is not None:
            tiff.write(level, photometric="rgb", tile=(128, 128), compression="deflate", subfiletype=1)
    return open_slide(path)


def test_pixels_of_a_slide_are_means_of_the_same_squares(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (613, 790, 3), np.uint8)
    with slide_file(tmp_path, pixels) as slide:
        pyramid = SlidePyramid(slide)
        assert np.array_equal(mosaic(pyramid, 0), pixels)
        for reduction in (1, 2):
            means = mosaic(pyramid, reduction).astype(float)
            expected = block_means(pixels, 1 << reduction)
            # at the border the last pixels of the slide stand for those beyond it
            assert means.shape == expected.shape
            assert np.abs(means - expected)[:-1, :-1].max() <= 1


def test_a_level_of_the_file_whose_sides_are_rounded_lies_where_the_full_resolution_does(tmp_path):
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (150, 222, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((887, 599), Image.Resampling.BICUBIC))
    level = np.asarray(Image.fromarray(pixels).resize((221, 149), Image.Resampling.BOX))
    with slide_file(tmp_path, pixels, level=level) as slide:
        assert len(slide.levels) == 2
        means = SlidePyramid(slide).tile(2, 0, 0).astype(float)
    expected = block_means(pixels, 4)
    assert means.shape == expected.shape == (150, 222, 3)
    here = np.abs(means - expected).mean()
    for by in (-1, 1):
        assert here < np.abs(np.roll(means, by, axis=1) - expected).mean() / 3
        assert here < np.abs(np.roll(means, by, axis=0) - expected).mean() / 3


class Halves(Pyramid):
    """A slide of which a part, or all, cannot be read."""

    def __init__(self, bad_from):
        super().__init__(6000, 100)
        self.bad_from = bad_from

    def _means(self, left, top, width, height, reduction):
        if (left + width) << reduction > self.bad_from:
            raise SlideError("bad part")
        return np.full((height, width, 3), 7, np.uint8)

    def _coarser(self, means, further):
        return means[:: 1 << further, :: 1 << further]


def test_a_part_that_cannot_be_read_is_grey_from_afar_and_an_error_close_by():
    pyramid = Halves(4097)
    far = pyramid.tile(reductions(6000, 100), 0, 0)
    assert far[0, 0].tolist() == [7, 7, 7]
    assert far[0, -1].tolist() == [128, 128, 128]
    assert np.all(pyramid.tile(0, 0, 0) == 7)
    with pytest.raises(SlideError, match="bad part"):
        pyramid.tile(0, 23, 0)


def test_a_slide_of_which_nothing_can_be_read_is_an_error():
    with pytest.raises(SlideError, match="bad part"):
        Halves(0).tile(reductions(6000, 100), 0, 0)
