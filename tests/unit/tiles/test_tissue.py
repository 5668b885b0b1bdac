import io

import numpy as np
import pytest
from PIL import Image

from slidecaf.slides import open_slide
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling
from slidecaf.tiles.tissue import PROOF_MARGIN
from tests.unit.tiles.drawn import ArraySlide, blank, halves, literal, tissue


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
