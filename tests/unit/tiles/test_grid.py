import io

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.slides import open_slide
from slidecaf.slides.base import Level, Slide
from slidecaf.tiles.grid import PROOF_MARGIN, Patches, Tiling, attributes, tile


class ArraySlide(Slide):
    """A slide of levels held in memory that remembers what was read of it."""

    def __init__(self, *images, block=(64, 48), tile=None, mpp=None, magnification=None):
        height, width = images[0].shape[:2]
        sizes = [image.shape[:2] for image in images]
        levels = [Level(w, h, (width / w + height / h) / 2, block, tile) for h, w in sizes]
        super().__init__("s", "s.tif", levels, mpp=mpp, magnification=magnification)
        self.images, self.reads = images, [np.zeros(size, int) for size in sizes]
        self.largest = 0

    def _release(self):
        self.images = None

    def _read(self, x, y, width, height, level):
        self.reads[level][y : y + height, x : x + width] += 1
        self.largest = max(self.largest, width * height)
        return self.images[level][y : y + height, x : x + width]


def blank(height, width):
    return np.full((height, width, 3), 255, np.uint8)


def literal(image, size, stride, edge, white_above):
    """The recipe, word by word."""
    height, width = image.shape[:2]

    def starts(length):
        places = [0]
        if edge == "cover":
            while places[-1] + size < length:
                places.append(places[-1] + stride)
        else:
            while places[-1] + stride + size <= length:
                places.append(places[-1] + stride)
        return places

    kept = []
    for y in starts(height):
        for x in starts(width):
            patch = image[y : y + size, x : x + size]  # beyond the border there are no pixels
            if white_above is None or not (patch > white_above).all():
                kept.append((x, y))
    return np.array(kept, np.int64).reshape(-1, 2)


def tissue(rng, height, width):
    """White with blots, lines and single pixels, some of which are just white and some just not."""
    image = blank(height, width)
    for _ in range(rng.integers(0, 12)):
        x, y = rng.integers(0, (width, height))
        w, h = rng.choice([1, 2, 5, 20, 60], 2)
        image[y : y + h, x : x + w, rng.integers(0, 3)] = rng.choice([0, 60, 180, 200, 201])
    return image


def halves(image, levels, quality):
    """A pyramid by Lanczos resampling, with JPEG in between, as scanners make them."""
    images = [image]
    for _ in range(levels):
        height, width = images[-1].shape[:2]
        if min(height, width) < 2:
            break
        small = Image.fromarray(images[-1]).resize((width // 2, height // 2), Image.LANCZOS)
        content = io.BytesIO()
        small.save(content, "JPEG", quality=quality)
        images.append(np.array(Image.open(content)))
    return images


@pytest.mark.parametrize("edge", ["drop", "cover"])
@pytest.mark.parametrize(("size", "stride"), [(64, 48), (64, 64), (80, 8), (7, 3), (500, 100)])
def test_patches_are_those_of_the_literal_loop(size, stride, edge):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        image = tissue(rng, *rng.integers(1, 300, 2))
        slide = ArraySlide(*halves(image, levels=4, quality=60))
        patches = tile(slide, Tiling(size, stride, edge, 200))
        np.testing.assert_array_equal(patches.coords, literal(image, size, stride, edge, 200))
        assert patches.coords.dtype == np.int64
        assert slide.reads[0].max(initial=0) <= 1
        assert slide.largest <= 64 * 48


@pytest.mark.parametrize("levels", [0, 1, 4])
@pytest.mark.parametrize(("size", "stride"), [(64, 48), (33, 20), (500, 100)])
def test_taking_the_files_own_tiles_one_by_one_gives_the_same_patches(size, stride, levels):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        image = tissue(rng, *rng.integers(1, 300, 2))
        slide = ArraySlide(*halves(image, levels=levels, quality=60), tile=(32, 16))
        patches = tile(slide, Tiling(size, stride, "cover", 200))
        np.testing.assert_array_equal(patches.coords, literal(image, size, stride, "cover", 200))
        assert slide.reads[0].max(initial=0) <= 1


def test_a_quarter_of_the_tiles_of_tissue_is_enough():
    slide = ArraySlide(np.full((512, 512, 3), 150, np.uint8), tile=(64, 64))
    assert len(tile(slide, Tiling(96, 64, "drop", 200)).coords) == 49
    assert slide.reads[0].mean() <= 0.25


def test_a_level_finer_than_a_quarter_is_asked_where_there_is_no_coarser_one():
    image = blank(512, 512)
    image[:256] = 40
    fine = ArraySlide(image, image[::2, ::2])
    assert tile(fine, Tiling(128, 128, "drop", 200)).kept_by == {1: 8, 0: 0}
    coarser = ArraySlide(image, image[::2, ::2], image[::4, ::4])
    assert tile(coarser, Tiling(128, 128, "drop", 200)).kept_by == {2: 8, 0: 0}
    assert coarser.reads[1].sum() == 0


def test_gaps_between_patches_are_not_looked_at():
    image = blank(200, 200)
    image[:, 40:50] = 0
    patches = tile(ArraySlide(image), Tiling(40, 50, "drop", 200))
    assert len(patches.coords) == 0
    image[0, 50] = 0
    assert tile(ArraySlide(image), Tiling(40, 50, "drop", 200)).coords.tolist() == [[50, 0]]


@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs", "boxes.tiff", "small.svs"])
def test_patches_of_real_slides_are_those_of_the_literal_loop(shared_data, name):
    with open_slide(shared_data / "slides" / name) as slide:
        image = slide.read(0, 0, slide.width, slide.height)
        # The loop gives the grid; an integral image, pixel by pixel, says how many dark ones each patch has.
        dark = (image <= 200).any(axis=2)
        count = np.pad(dark.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        for tiling in (Tiling(336, 252, "drop", 200), Tiling(112, 16, "cover", 200)):
            patches = tile(slide, tiling)
            grid = literal(image, tiling.patch_size, tiling.stride, tiling.edge, None)
            (x0, y0), (x1, y1) = grid.T, np.minimum(grid + tiling.patch_size, (slide.width, slide.height)).T
            kept = count[y1, x1] - count[y0, x1] - count[y1, x0] + count[y0, x0] > 0
            np.testing.assert_array_equal(patches.coords, grid[kept])
            assert patches.squares == len(grid)


def test_without_a_white_rule_nothing_is_read_and_all_is_kept():
    slide = ArraySlide(blank(100, 150))
    patches = tile(slide, Tiling(50, 50))
    assert patches.coords.tolist() == [[x, y] for y in (0, 50) for x in (0, 50, 100)]
    assert slide.reads[0].sum() == 0
    assert "no white rule" in patches.effort


def test_one_pixel_at_the_threshold_keeps_a_patch_and_one_above_it_does_not():
    image = blank(60, 60)
    image[59, 59] = 201
    assert len(tile(ArraySlide(image), Tiling(60, 60, "drop", 200)).coords) == 0
    image[59, 59, 1] = 200
    assert len(tile(ArraySlide(image), Tiling(60, 60, "drop", 200)).coords) == 1


def test_a_lower_level_proves_that_patches_are_kept_and_spares_level_0():
    image = blank(1024, 1024)
    image[:512] = 40
    slide = ArraySlide(image, image[::4, ::4], image[::16, ::16], block=(256, 256))
    patches = tile(slide, Tiling(256, 256, "drop", 200))
    assert patches.kept_by == {2: 8, 1: 0, 0: 0}
    assert slide.reads[0][:512].sum() == 0
    assert (slide.reads[0][512:] == 1).all()
    assert patches.pixels_read == sum(reads.sum() for reads in slide.reads)
    assert patches.effort == "of 16 of the grid 8 kept by level 2, 8 white, 0.6 Mpx read"


def test_a_lower_level_never_proves_that_a_patch_is_discarded():
    image = blank(512, 512)
    image[100, 100] = 0
    slide = ArraySlide(image, blank(128, 128), blank(32, 32))
    assert tile(slide, Tiling(512, 512, "drop", 200)).coords.tolist() == [[0, 0]]


def test_what_is_dark_beside_a_patch_or_not_dark_enough_at_a_lower_level_proves_nothing():
    image, small = blank(512, 512), blank(64, 64)
    small[:, 28:36] = 0  # where four patches meet: blurred from one into the others, as far as is known
    small[10, 10] = 200 - PROOF_MARGIN + 1
    slide = ArraySlide(image, small)
    assert len(tile(slide, Tiling(256, 256, "drop", 200)).coords) == 0
    small[10, 10] = 200 - PROOF_MARGIN
    assert tile(slide, Tiling(256, 256, "drop", 200)).coords.tolist() == [[0, 0]]


@pytest.mark.parametrize("resample", [Image.BOX, Image.BILINEAR, Image.LANCZOS])
@pytest.mark.parametrize("quality", [30, 75])
@pytest.mark.parametrize("downsamples", [[2], [4, 8]])
def test_no_bright_pixels_become_dark_enough_for_a_proof_by_resampling_and_jpeg(resample, quality, downsamples):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        side, downsample = 512, int(rng.choice(downsamples))
        grain = int(rng.choice([1, 4, 8, 16, 32]))
        cells = np.where(rng.integers(0, 2, (side // grain, side // grain, 3)), 255, 201)
        image = np.repeat(np.repeat(cells, grain, 0), grain, 1).astype(np.uint8)
        content = io.BytesIO()
        small = Image.fromarray(image).resize((side // downsample,) * 2, resample)
        small.save(content, "JPEG", quality=quality, subsampling=int(rng.choice([0, 2])))
        assert np.array(Image.open(content)).min() > 200 - PROOF_MARGIN


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


@settings(deadline=None, max_examples=150)
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


@settings(deadline=None, max_examples=150)
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


@settings(deadline=None, max_examples=30)
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
