"""Outlines of what was found on a batch of slides."""

import json

import pytest
from shapely.geometry import shape

from slidecaf.segmentation.outlining import outline_slides
from tests.unit.batch_jobs import done_twice, manifest, of
from tests.unit.segmentation.test_segmenting import MANIFEST, SIDE, Study

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
