"""Tissue by saturation: black padding, pen strokes and glass are none, whatever else is on the slide."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from slidecaf.errors import SlideError
from slidecaf.slides import open_slide
from slidecaf.tiles.file import read_tissue, write_tiles
from slidecaf.tiles.grid import attributes, tile
from slidecaf.tiles.otsu import SMOOTHED, _median, find_tissue, otsu
from slidecaf.tiles.tiling import Tiling

GLASS, TISSUE, PALE = (243, 242, 245), (190, 90, 160), (225, 200, 222)
RNG = np.random.default_rng(0)


def picture(size, *boxes, ground=GLASS, noise=3):
    """Colours in boxes (left, top, right, bottom), with some noise."""
    image = np.empty((*size[::-1], 3))
    image[:] = ground
    for colour, (left, top, right, bottom) in boxes:
        image[top:bottom, left:right] = colour
    return np.clip(image + RNG.normal(0, noise, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def opened(tmp_path):
    slides = []

    def make(pixels):
        path = tmp_path / f"{len(slides)}.png"
        Image.fromarray(pixels).save(path)
        slides.append(open_slide(path, name="s"))
        return slides[-1]

    yield make
    for slide in slides:
        slide.close()


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40).filter(any))
@settings(max_examples=60)
def test_the_threshold_is_that_of_scikit_image(counts):
    from skimage.filters import threshold_otsu

    if np.count_nonzero(counts) > 1:
        wanted = threshold_otsu(hist=(np.array(counts), np.arange(len(counts))))
        # of equal thresholds, in a gap of the histogram, either may be taken
        parts = [np.cumsum(counts)[place] for place in (otsu(np.array(counts)), int(wanted))]
        assert parts[0] == parts[1]


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 256), st.integers(0, 9))
@settings(max_examples=60)
def test_the_median_is_pillows(width, height, values, seed):
    pixels = np.random.default_rng(seed).integers(0, values, (height, width, 3), dtype=np.uint8)
    wanted = Image.fromarray(pixels).filter(ImageFilter.MedianFilter(SMOOTHED))
    assert np.array_equal(_median(pixels), np.asarray(wanted))


def test_tissue_is_told_from_glass_padding_and_ink(opened):
    size = 600, 400
    slide = opened(
        picture(
            size,
            (TISSUE, (100, 100, 300, 300)),
            (PALE, (300, 100, 400, 300)),
            ((0, 0, 0), (0, 0, 600, 60)),
            ((20, 120, 60), (450, 100, 480, 300)),
            ((30, 60, 200), (500, 100, 530, 300)),
            ((25, 25, 30), (550, 100, 580, 300)),
        )
    )
    mask = find_tissue(slide).mask
    wanted = np.zeros(size[::-1], bool)
    wanted[100:300, 100:400] = True
    assert (mask != wanted).mean() < 0.01


@pytest.mark.parametrize("ground", [(243, 242, 245), (235, 225, 215), (215, 213, 218)])
def test_a_tinted_or_grey_background_is_glass(opened, ground):
    mask = find_tissue(opened(picture((400, 400), (TISSUE, (0, 0, 200, 400)), ground=ground))).mask
    assert mask[:, :195].mean() > 0.99
    assert mask[:, 205:].mean() < 0.01


def test_a_slide_that_is_tissue_all_over_keeps_all_of_it(opened, shared_data):
    assert find_tissue(opened(picture((300, 300), ground=TISSUE, noise=12))).share > 0.99
    for name in ("gbm-01", "gbm-19"):  # one of them greyish
        with open_slide(shared_data / f"glioma_tiles/images/{name}.png") as slide:
            assert find_tissue(slide).share > 0.97


def test_real_slides_keep_their_tissue(shared_data):
    for name, low, high in (("cmu-1-small-region", 0.3, 0.4), ("tcga-cr-7395-01a-01-ts1", 0.55, 0.68)):
        with open_slide(shared_data / f"slides/{name}.svs") as slide:
            assert low < find_tissue(slide).share < high


def test_a_slide_without_colour_is_refused_and_a_black_one_has_no_tissue(opened):
    grey = np.repeat(RNG.integers(100, 250, (200, 200, 1)), 3, axis=2).astype(np.uint8)
    with pytest.raises(SlideError, match="has no colour by which tissue could be told; take tissue: otsu out"):
        find_tissue(opened(grey))
    assert find_tissue(opened(np.zeros((200, 200, 3), np.uint8))).share == 0


def test_patches_of_padding_are_kept_by_the_white_rule_and_not_by_tissue(opened):
    # 84 of 100 patches are black, as behind a scan of a part of the slide
    slide = opened(picture((1000, 1000), (TISSUE, (300, 300, 700, 700)), ground=(0, 0, 0), noise=0))
    plain = {"patch_size": 100, "stride": 100, "white_above": 200}
    assert len(tile(slide, Tiling.from_config(plain)).coords) == 100
    patches = tile(slide, Tiling.from_config({**plain, "tissue": "otsu"}))
    assert sorted(map(tuple, patches.coords)) == [(x, y) for x in range(300, 700, 100) for y in range(300, 700, 100)]
    assert "84 without tissue (16.0 % of the slide has it)" in patches.effort


@pytest.mark.parametrize(("least", "kept"), [(0, 2), (0.2, 2), (0.3, 1), (1, 1)])
def test_a_patch_needs_its_share_of_tissue(opened, least, kept):
    slide = opened(picture((400, 100), (TISSUE, (0, 0, 125, 100)), noise=0))
    config = {"patch_size": 100, "stride": 100, "tissue": "otsu", "min_tissue": least}
    # 1 is of the smoothed mask, whose edge may stand a pixel off
    assert len(tile(slide, Tiling.from_config(config)).coords) == kept


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 30), st.data())
@settings(max_examples=40)
def test_shares_are_those_of_the_mask_at_any_scale(width, height, size, data):
    from slidecaf.tiles.otsu import Tissue

    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    mask = np.random.default_rng(0).random((rows, columns)) < 0.5
    xs, ys = np.arange(0, width, 7), np.arange(0, height, 5)
    found = Tissue(mask, 0).shares(xs, ys, size, width=width, height=height)
    # every px of the mask as so many of a finer grid that divides both
    fine = np.repeat(np.repeat(mask, height, axis=0), width, axis=1)
    for row, y in enumerate(ys):
        for column, x in enumerate(xs):
            part = fine[y * rows : min(y + size, height) * rows, x * columns : min(x + size, width) * columns]
            assert found[row, column] == pytest.approx(part.mean(), abs=1e-9)


def test_the_mask_is_kept_in_the_tiles_file(opened, tmp_path):
    slide = opened(picture((300, 200), (TISSUE, (0, 0, 150, 200))))
    patches = tile(slide, Tiling(50, 50, tissue="otsu"))
    write_tiles(tmp_path / "a.h5", patches.coords, attributes(slide, patches), tissue=patches.tissue)
    np.testing.assert_array_equal(read_tissue(tmp_path / "a.h5"), patches.tissue.mask)
    write_tiles(tmp_path / "b.h5", patches.coords, attributes(slide, patches))
    assert read_tissue(tmp_path / "b.h5") is None
