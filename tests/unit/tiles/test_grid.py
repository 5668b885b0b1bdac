import hypothesis.strategies as st
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from PIL import Image

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.slides import open_slide
from slidecaf.tiles.grid import Patches, attributes, enlarged, lay, tile
from slidecaf.tiles.tiling import Tiling
from tests.unit.tiles.drawn import ArraySlide, blank


def test_a_slide_smaller_than_a_patch_has_one_and_only_its_own_pixels_count():
    image = blank(10, 12)
    for edge in ("drop", "cover"):
        assert tile(ArraySlide(image), Tiling(336, 252, edge)).coords.tolist() == [[0, 0]]
        assert tile(ArraySlide(image), Tiling(336, 252, edge, 200)).coords.tolist() == []
    image[9, 11] = 0
    assert tile(ArraySlide(image), Tiling(336, 252, "drop", 200)).coords.tolist() == [[0, 0]]


def test_a_slide_lower_than_a_patch_has_one_row():
    assert tile(ArraySlide(blank(10, 1000)), Tiling(336, 252)).coords.tolist() == [[0, 0], [252, 0], [504, 0]]


def test_the_stride_of_the_paper_is_252():
    config = {"patch_size": 336, "overlap": 0.25, "edge": "drop", "white_above": 200, "mpp": None}
    assert Tiling.from_config(config) == Tiling(336, 252, "drop", 200, None)
    config = {"patch_size": 112, "stride": 8, "edge": "cover", "white_above": None, "mpp": 0.5}
    assert Tiling.from_config(config) == Tiling(112, 8, "cover", None, 0.5)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"patch_size": 4, "overlap": 0.9}, "stride is 0 px; lower overlap"),
        ({"patch_size": 100, "stride": 101, "edge": "cover"}, "do not cover every pixel"),
    ],
)
def test_a_tiling_that_cannot_be_is_refused(config, reason):
    with pytest.raises(SlidecafError, match=reason):
        Tiling.from_config(config)


lengths = st.integers(1, 700)
grids = st.tuples(st.integers(1, 120), st.integers(1, 120)).map(sorted)
resolutions = st.floats(1, 4)


def along(patches, axis):
    return np.unique(patches.coords[:, axis])


@settings(max_examples=150)
@given(width=lengths, height=lengths, grid=grids, mpp=resolutions)
def test_cover_leaves_no_pixel_out_and_no_patch_is_needless(width, height, grid, mpp):
    stride, size = grid
    slide = ArraySlide(blank(height, width), mpp=1.0)
    patches = tile(slide, Tiling(size, stride, "cover", None, mpp))
    for axis, length in ((0, width), (1, height)):
        starts, side = along(patches, axis), patches.patch_size_level0
        assert starts[0] == 0
        assert (np.diff(starts) <= side).all()
        assert starts[-1] + side >= length
        assert len(starts) == 1 or starts[-2] + side < length


@settings(max_examples=150)
@given(width=lengths, height=lengths, grid=grids, mpp=resolutions)
def test_drop_keeps_what_fits_and_all_that_fits(width, height, grid, mpp):
    stride, size = grid
    slide = ArraySlide(blank(height, width), mpp=1.0)
    patches = tile(slide, Tiling(size, stride, "drop", None, mpp))
    for axis, length in ((0, width), (1, height)):
        starts, side = along(patches, axis), patches.patch_size_level0
        assert side == round(size * mpp)
        assert (starts[-1] + side <= length) or starts.tolist() == [0]
        assert round(len(starts) * (stride * mpp)) + side > length
        np.testing.assert_array_equal(starts, [round(i * (stride * mpp)) for i in range(len(starts))])


@settings(max_examples=30)
@given(width=lengths, height=lengths, grid=grids)
def test_patches_are_sorted_by_y_and_then_x_and_are_the_whole_grid(width, height, grid):
    stride, size = grid
    coords = tile(ArraySlide(blank(height, width)), Tiling(size, stride, "cover")).coords
    xs, ys = np.unique(coords[:, 0]), np.unique(coords[:, 1])
    np.testing.assert_array_equal(coords, np.stack([np.tile(xs, len(ys)), np.repeat(ys, len(xs))], axis=1))


def test_at_a_resolution_sizes_count_its_pixels():
    slide = ArraySlide(blank(3000, 3000), mpp=0.499)
    patches = tile(slide, Tiling(336, 252, "drop", None, 1.0))
    assert patches.patch_size_level0 == round(336 / 0.499) == 673
    assert patches.stride_level0 == pytest.approx(252 / 0.499)
    assert along(patches, 0).tolist() == [0, 505, 1010, 1515, 2020]


def test_a_missing_resolution_names_slide_file_and_column():
    with pytest.raises(SlidecafError, match=r"slide s: s\.tif .* sheet's column mpp"):
        tile(ArraySlide(blank(10, 10)), Tiling(336, 252, mpp=1.0))


def test_a_stride_below_a_pixel_of_the_slide_is_refused():
    with pytest.raises(SlidecafError, match=r"slide s: .*less than 1 px of level 0"):
        tile(ArraySlide(blank(10, 10), mpp=1.0), Tiling(8, 1, mpp=0.25))


def test_an_unreadable_region_is_an_error_of_the_slide(shared_data):
    with open_slide(shared_data / "slides" / "unreadable.svs") as slide, pytest.raises(SlideError, match="unreadable"):
        tile(slide, Tiling(336, 252, "drop", 200))


def test_attributes_are_those_that_clam_and_trident_read():
    slide = ArraySlide(blank(1000, 1200), blank(500, 600), blank(250, 300), mpp=0.5, magnification=20.0)
    tiling = Tiling(100, 75, mpp=1.0)
    assert attributes(slide, tile(slide, tiling)) == {
        "patch_size": 100,
        "patch_size_level0": 200,
        "stride": 75,
        "stride_level0": 150.0,
        "overlap": 25,
        "level0_width": 1200,
        "level0_height": 1000,
        "level0_mpp": 0.5,
        "level0_magnification": 20.0,
        "target_magnification": 10.0,
        "patch_level": 1,
        "downsample": (2.0, 2.0),
        "downsampled_level_dim": (600, 500),
        "level_dim": (600, 500),
    }


@pytest.mark.parametrize(("mpp", "magnification"), [(0.25, 40.0), (None, np.nan)])
def test_a_magnification_that_is_not_known_follows_from_the_resolution(mpp, magnification):
    slide = ArraySlide(blank(100, 100), mpp=mpp)
    found = attributes(slide, tile(slide, Tiling(50, 50)))
    np.testing.assert_equal(found["level0_magnification"], magnification)
    np.testing.assert_equal(found["target_magnification"], magnification)


def test_no_patch_left_is_an_empty_array():
    patches = tile(ArraySlide(blank(100, 100)), Tiling(50, 50, "drop", 200))
    assert isinstance(patches, Patches)
    assert patches.coords.shape == (0, 2)
    assert patches.effort == "of 4 of the grid 4 white, 0.0 Mpx read"


def test_pixels_that_are_not_square_are_refused_where_the_resolution_counts(tmp_path):
    path = tmp_path / "a.tif"
    image = np.zeros((64, 64, 3), np.uint8)
    options = {"photometric": "rgb", "tile": (32, 32), "resolution": (40000, 20000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, image, **options)
    with open_slide(path) as slide:
        assert len(tile(slide, Tiling(32, 32)).coords) == 4
        with pytest.raises(SlidecafError, match=r"slide a: .*a.tif has pixels of 0.25 x 0.5 micrometres, .*column mpp"):
            lay(slide, Tiling(32, 32, mpp=0.5))
    with open_slide(path, mpp=0.25) as slide:  # the sheet wins
        assert lay(slide, Tiling(32, 32, mpp=0.5))[2] == 64


@pytest.mark.parametrize(("mpp", "said"), [(1.0, "enlarged 4 times"), (0.26, ""), (None, "")])
def test_enlarged_patches_are_said(tmp_path, mpp, said):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=mpp) as slide:
        found = enlarged(slide, Tiling(32, 32, mpp=0.25))
    assert bool(found) == bool(said)
    assert said in found
