"""Tiles of a batch of slides."""

import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.tiles.batch import tile_slides
from slidecaf.tiles.file import read_tiles
from tests.unit.batch_jobs import LIMITS, broken, done_twice, of, picture

TILING = {"patch_size": 32, "stride": 32, "white_above": 200}
MANIFEST = "results/tiles/cnn/batch-4.tsv"


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Slides of 128 x 64 px: dark in their first 70 columns, and white all over."""
    monkeypatch.chdir(tmp_path)
    half = np.full((64, 128, 3), 255, np.uint8)
    half[:, :70] = 40
    return {"half": picture("half.png", half), "white": picture("white.png", np.full((64, 128, 3), 255, np.uint8))}


def job(paths, **changed):
    slides = {slide: {"digest": f"digest of {slide}", "mpp": 0.5, "scene": ""} for slide in paths}
    options = {"paths": paths, "limits": LIMITS, "on_bad_slide": "fail", **changed}
    tile_slides(MANIFEST, slides, of("tiles", tiling=TILING), **options)


def test_patches_with_a_dark_pixel_are_listed(paths):
    assert done_twice(lambda: job(paths), MANIFEST) == ["half", "white"]
    coords, attributes = read_tiles("results/tiles/cnn/half.h5")
    assert coords.tolist() == [[x, y] for y in (0, 32) for x in (0, 32, 64)]
    assert attributes["status"] == "ok"
    assert attributes["slide_digest"] == "digest of half"
    assert (attributes["level0_width"], attributes["level0_height"], attributes["level0_mpp"]) == (128, 64, 0.5)
    assert attributes["savetodir"] == "results/tiles/cnn"
    coords, attributes = read_tiles("results/tiles/cnn/white.h5")
    assert (len(coords), attributes["status"]) == (0, "no tissue")


def test_a_slide_that_cannot_be_read_fails_after_the_others(paths):
    paths = {"bad": broken("bad.png"), **paths}
    with pytest.raises(SlidecafError, match=r"1 of the 3 slides of this job failed \(bad\)"):
        job(paths)
    assert len(read_tiles("results/tiles/cnn/half.h5")[0]) == 6


def test_a_slide_that_cannot_be_read_has_no_patches_where_it_is_left_out(paths):
    paths["bad"] = broken("bad.png")
    assert done_twice(lambda: job(paths, on_bad_slide="exclude"), MANIFEST) == ["bad", "half", "white"]
    coords, attributes = read_tiles("results/tiles/cnn/bad.h5")
    assert (len(coords), attributes["status"]) == (0, "unreadable")
