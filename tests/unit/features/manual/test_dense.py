"""Dense extraction gives each patch of a slide its own features, whatever the blocks, the threads and the faults."""

import numpy as np
import pytest

from slidecaf.errors import SlideError
from slidecaf.features.extraction.pipeline import Pipeline
from slidecaf.features.manual import dense
from slidecaf.features.manual.descriptor import DIMENSION, describe
from slidecaf.features.manual.encoder import ManualEncoder
from tests.unit.features.extraction.test_dense import ArraySlide, Rows, grid, picture


def extract(slide, coords, *, size, stride, scale=1.0, threads=2, max_unreadable=0.0, **options):
    rows, done = Rows(len(coords), DIMENSION), []
    with Pipeline(threads, ManualEncoder.device) as pipeline:
        sizes = {"patch_size": size, "stride": stride, "stride_level0": stride * scale}
        write = dense.begin(slide, coords, pipeline, **sizes, **options)
        unreadable = write(rows, max_unreadable=max_unreadable, advance=done.append)
    assert (rows.times == 1).all()
    assert sum(done) == len(coords)
    assert unreadable == len(coords) - rows.valid.sum()
    return rows.features, rows.valid


def described(pixels, coords, size):
    return describe(np.stack([pixels[y : y + size, x : x + size] for x, y in coords]))


def check(features, expected):
    # stored in 16 bit: 2**-11 of themselves
    np.testing.assert_allclose(features.astype(np.float32), expected, rtol=1e-3, atol=3e-6)


@pytest.mark.parametrize(("size", "stride", "block"), [(32, 8, 40), (32, 8, 1000), (20, 9, 30), (20, 30, 20)])
def test_features_are_those_of_the_patches_whatever_the_blocks(size, stride, block):
    pixels = picture(110, 130)
    coords = grid(130 - size + 1, 110 - size + 1, stride)
    slide = ArraySlide(pixels)
    features, valid = extract(slide, coords, size=size, stride=stride, block=block)
    assert valid.all()
    assert (len(slide.reads) > 1) == (block < 1000)
    check(features, described(pixels, coords, size))


def test_patches_that_are_left_out_or_reach_beyond_the_border_change_no_others():
    pixels = picture(90, 100)
    whole = grid(100, 90, 10)
    coords = whole[np.random.default_rng(0).random(len(whole)) < 0.4]
    features, _ = extract(ArraySlide(pixels), coords, size=30, stride=10, block=40)
    check(features, described(np.pad(pixels, ((0, 40), (0, 40), (0, 0)), mode="reflect"), coords, 30))


def test_threads_change_no_bit_and_no_patches_are_no_work():
    slide, coords = ArraySlide(picture(100, 100)), grid(70, 50, 8)
    first, _ = extract(slide, coords, size=30, stride=8, block=24, threads=1)
    again, _ = extract(slide, coords, size=30, stride=8, block=24, threads=3)
    np.testing.assert_array_equal(again, first)
    features, _ = extract(slide, coords[:0], size=30, stride=8)
    assert features.shape == (0, DIMENSION)


def test_a_lower_level_is_read_where_it_holds_the_wanted_resolution():
    half = picture(80, 90)
    slide = ArraySlide(half.repeat(2, 0).repeat(2, 1), half)
    coords = grid(60, 50, 10)
    features, _ = extract(slide, coords * 2, size=30, stride=10, scale=2.0, block=20)
    assert {read[-1] for read in slide.reads} == {1}
    check(features, described(half, coords, 30))


def test_between_levels_blocks_and_the_whole_agree():
    slide, coords = ArraySlide(picture(150, 180)), grid(80, 60, 8) * 1.5
    whole, _ = extract(slide, coords.astype(np.int64), size=24, stride=8, scale=1.5, block=1000)
    parts, _ = extract(slide, coords.astype(np.int64), size=24, stride=8, scale=1.5, block=32)
    np.testing.assert_array_equal(parts[:, 128:], whole[:, 128:])
    check(parts, whole)


def test_what_cannot_be_read_costs_the_patches_of_its_square_and_no_others(monkeypatch):
    monkeypatch.setattr("slidecaf.features.extraction.dense.RETRY", 16)
    pixels, coords = picture(110, 130), grid(100, 80, 10)
    bad = lambda x, y, width, height: x <= 70 < x + width and y <= 50 < y + height  # noqa: E731
    features, valid = extract(ArraySlide(pixels, bad=bad), coords, size=30, stride=10, max_unreadable=0.5, block=40)
    middle = np.abs(coords + 15 - (70, 50)).max(1)
    assert not valid[middle < 15].any()
    assert valid[middle >= 15 + 16].all()
    check(features[valid], described(pixels, coords[valid], 30))
    with pytest.raises(SlideError, match=r"a region cannot be read\. More than 1\.00% of the slide's 80 patches"):
        extract(ArraySlide(pixels, bad=bad), coords, size=30, stride=10, max_unreadable=0.01)
