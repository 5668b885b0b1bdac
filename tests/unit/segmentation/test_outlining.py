"""Outlines of what was found on a batch of slides."""

import json

import numpy as np
import pytest
import tifffile
from shapely.geometry import shape

from slidecaf.segmentation.outlining import outline_slides
from slidecaf.segmentation.rasters import read_attributes
from slidecaf.slides import open_slide
from slidecaf.tiles.file import write_tiles
from slidecaf.tiles.grid import attributes, tile
from slidecaf.tiles.tiling import Tiling
from tests.unit.batch_jobs import done_twice, manifest, of
from tests.unit.scanned import write_scn
from tests.unit.segmentation.test_segmenting import COORDS, HEIGHT, MANIFEST, SIDE, WIDTH, Study

OUTLINES = "results/segmentation/m/plain/geojson/batch-0.tsv"


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Study()


def outline(slides):
    tiles = manifest("tiles/batch-0.tsv", {slide: f"tiles/{slide}.h5" for slide in slides})
    settings = of("segmentation", tolerance=0.0, caveats=["drawn, no tissue"])
    options = {"method": "m", "variant": "plain", "segments": MANIFEST, "tiles": tiles}
    outline_slides(OUTLINES, {slide: {} for slide in slides}, settings, **options)


def test_outlines_hold_what_is_predicted_and_no_more(study):
    slides = ["a", "bad"]
    study.segment(slides)
    assert done_twice(lambda: outline(slides), OUTLINES) == slides
    with open("results/segmentation/m/plain/geojson/a.geojson") as file:
        objects = json.load(file)["features"]
    areas = sorted(shape(one["geometry"]).area for one in objects)
    assert areas == [SIDE**2, 2 * SIDE**2]
    text = json.dumps(objects)
    assert "Confidence: mean" in text
    with open("results/segmentation/m/plain/geojson/bad.geojson") as file:
        assert json.load(file)["features"] == []


def test_outlines_and_maps_of_a_slide_with_bounds_are_in_qupaths_frame(study):
    """QuPath shows a slide's bounds as the whole image, and counts px from their corner."""
    pixels = np.full((40, 60, 3), 120, np.uint8)
    path = write_scn("a.scn", pixels, (WIDTH, HEIGHT), (20, 10))
    study.paths["a"] = str(path)
    with open_slide(path) as slide:
        patches = tile(slide, Tiling(SIDE, SIDE, edge="cover"))
        described = attributes(slide, patches)
    np.testing.assert_array_equal(patches.coords, COORDS)
    write_tiles("tiles/a.h5", patches.coords, {**described, "status": "ok"})
    study.segment(["a"])
    outline(["a"])
    with open("results/segmentation/m/plain/geojson/a.geojson") as file:
        written = json.load(file)
    found = sorted(shape(one["geometry"]).bounds for one in written["features"])
    assert found == [(-20, -10, 12, 54), (44, -10, 76, 22)]  # those of level 0 minus (20, 10)
    assert written["slidecaf"]["bounds"] == [20, 10, 60, 40]
    confidence = "results/segmentation/m/plain/confidence/a.tif"
    assert read_attributes(confidence)["bounds"] == [20, 10, 60, 40]
    assert tifffile.imread(confidence).shape == (HEIGHT, WIDTH)  # as large as the slide, as ever
