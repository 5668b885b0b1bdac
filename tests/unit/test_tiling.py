"""Patches lie where the paper's grid puts them, and the white rule is that of every pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.errors import SlidecafError
from slidecaf.slides import open_slide
from slidecaf.slides.base import Slide, levels_of
from slidecaf.tiling import Tiling, attributes, tile


class ArraySlide(Slide):
    """A slide that is a pyramid of arrays, each level the 2 × 2 means of the one before."""

    def __init__(self, pixels, levels=1, mpp=None):
        self.pyramid = [pixels]
        for _ in range(levels - 1):
            last = self.pyramid[-1]
            h, w = last.shape[0] // 2, last.shape[1] // 2
            self.pyramid.append(last[: 2 * h, : 2 * w].reshape(h, 2, w, 2, 3).mean((1, 3)).round().astype(np.uint8))
        super().__init__("array.png", "array", levels_of([p.shape[1::-1] for p in self.pyramid]), mpp)
        self.read_pixels = 0

    def close(self):
        pass

    def _read(self, x, y, width, height, level):
        self.read_pixels += width * height * (level == 0)
        return self.pyramid[level][y : y + height, x : x + width]


def literal(slide, size, stride, white_above, edge="drop"):
    """Loop over the grid as the paper words it: discarded if the RGB values of all pixels are greater than 200."""
    kept = []
    tops = range(0, max(slide.height, 1), stride)
    for y in tops:
        for x in range(0, max(slide.width, 1), stride):
            fits = (x == 0 or x + size <= slide.width) and (y == 0 or y + size <= slide.height)
            needed = (x == 0 or x - stride + size < slide.width) and (y == 0 or y - stride + size < slide.height)
            if not (fits if edge == "drop" else needed):
                continue
            patch = slide.read(x, y, min(size, slide.width - x), min(size, slide.height - y))
            if white_above is None or not (patch > white_above).all():
                kept.append((x, y))
    return np.array(kept, np.int64).reshape(-1, 2)


def blotchy(height, width, seed, share=0.02):
    """Return a white picture with a few dark or barely dark pixels and areas."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(205, 256, (height, width, 3)).astype(np.uint8)
    for _ in range(rng.integers(0, 6)):
        y, x, s = rng.integers(0, height), rng.integers(0, width), rng.integers(1, 60)
        pixels[y : y + s, x : x + s] = rng.integers(0, 215, 3)
    for _ in range(rng.integers(0, 8)):
        pixels[rng.integers(0, height), rng.integers(0, width), rng.integers(0, 3)] = rng.integers(150, 202)
    return pixels


def test_the_papers_grid_is_336_px_with_252_from_one_to_the_next():
    spec = {"patch_size": 336, "overlap": 0.25, "edge": "drop", "white_above": 200, "mpp": None}
    tiling = Tiling.from_config(spec)
    assert tiling == Tiling(336, 252, "drop", 200, None)
    patches = tile(ArraySlide(np.zeros((900, 1000, 3), np.uint8)), tiling)
    assert patches.coords.tolist() == [[x, y] for y in (0, 252, 504) for x in (0, 252, 504)]
    assert (
        Tiling.from_config({"patch_size": 112, "stride": 8, "edge": "cover", "white_above": None, "mpp": None}).stride
        == 8
    )


@pytest.mark.parametrize("levels", [1, 4, 6])
@pytest.mark.parametrize("edge", ["drop", "cover"])
@pytest.mark.parametrize("seed", range(6))
def test_the_white_rule_is_that_of_a_literal_loop(levels, edge, seed):
    slide = ArraySlide(blotchy(600 + seed, 700 - seed, seed), levels)
    patches = tile(slide, Tiling(64, 48, edge, 200))
    np.testing.assert_array_equal(patches.coords, literal(slide, 64, 48, 200, edge))


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 90), st.integers(1, 90), st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_grid_is_regular_fits_or_covers(width, height, size, stride, cover):
    slide = ArraySlide(np.zeros((height, width, 3), np.uint8))
    coords = tile(slide, Tiling(size, stride, "cover" if cover else "drop")).coords
    np.testing.assert_array_equal(coords, literal(slide, size, stride, None, "cover" if cover else "drop"))
    assert len(coords)
    assert (coords % stride == 0).all()
    if cover and stride <= size:
        hit = np.zeros((height, width), bool)
        for x, y in coords:
            hit[y : y + size, x : x + size] = True
        assert hit.all()
    elif not cover:
        fits = (coords + size <= (width, height)) | (coords == 0)
        assert fits.all()


def test_a_lower_level_spares_reading_tissue():
    pixels = np.full((2048, 2048, 3), 240, np.uint8)
    pixels[:1024] = 120
    few, all_ = ArraySlide(pixels, 5), ArraySlide(pixels, 1)
    tiling = Tiling(256, 256, "drop", 200)
    assert len(tile(few, tiling).coords) == len(tile(all_, tiling).coords) == 32
    assert all_.read_pixels == 2048 * 2048
    assert few.read_pixels == 1024 * 2048


def test_a_lower_level_never_discards():
    pixels = np.full((1024, 1024, 3), 255, np.uint8)
    pixels[700, 300] = (200, 255, 255)  # one pixel that every lower level has lost
    slide = ArraySlide(pixels, 6)
    assert slide.pyramid[5].min() > 240
    assert tile(slide, Tiling(256, 256, "drop", 200)).coords.tolist() == [[256, 512]]


@pytest.mark.parametrize(
    ("name", "size"), [("cmu-1-small-region.svs", 336), ("tcga-cr-7395-01a-01-ts1.svs", 336), ("boxes.tiff", 40)]
)
def test_real_slides_are_tiled_as_by_a_literal_loop(shared_data, name, size):
    with open_slide(shared_data / "slides" / name) as slide:
        patches = tile(slide, Tiling(size, size * 3 // 4, "drop", 200))
        np.testing.assert_array_equal(patches.coords, literal(slide, size, size * 3 // 4, 200))


def test_sizes_count_at_the_wanted_resolution():
    slide = ArraySlide(np.zeros((1000, 1300, 3), np.uint8), mpp=0.499)
    patches = tile(slide, Tiling(100, 75, "drop", None, mpp=1.0))
    assert patches.patch_size_level0 == 200
    scale = 1 / 0.499
    assert sorted(set(patches.coords[:, 0])) == [round(i * 75 * scale) for i in range(8)]
    described = attributes(slide, patches)
    assert (described["patch_size"], described["patch_size_level0"], described["overlap"]) == (100, 200, 25)
    assert described["target_magnification"] == pytest.approx(10, rel=0.01)


def test_a_slide_without_resolution_is_named_with_the_column_to_fill():
    with pytest.raises(SlidecafError, match=r"slide array: array\.png .* sheet's column mpp"):
        tile(ArraySlide(np.zeros((10, 10, 3), np.uint8)), Tiling(5, 5, mpp=1.0))


def test_a_white_slide_has_no_patch():
    patches = tile(ArraySlide(np.full((700, 700, 3), 230, np.uint8), 3), Tiling(224, 168, "drop", 200))
    assert patches.coords.shape == (0, 2)
    assert patches.coords.dtype == np.int64
