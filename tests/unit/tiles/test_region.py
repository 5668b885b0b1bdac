"""Regions of interest: patches whose centre lies outside are left out, before any other rule."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.slides import open_slide
from slidecaf.slides.geojson import Edges, areas
from slidecaf.tiles.batch import tile_slides
from slidecaf.tiles.file import read_region, read_tiles
from slidecaf.tiles.grid import tile
from slidecaf.tiles.region import Region
from slidecaf.tiles.tiling import Tiling
from tests.unit.batch_jobs import LIMITS, done_twice, of, picture

WIDTH, HEIGHT = 120, 80
TILING = {"patch_size": 20, "stride": 10}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [[list(map(float, point)) for point in ring] for ring in rings]}


def square(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def written(path, *geometries, whole=None):
    features = [{"type": "Feature", "geometry": geometry, "properties": {}} for geometry in geometries]
    Path(path).write_text(json.dumps(whole if whole is not None else features))
    return str(path)


@pytest.fixture
def slide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture("a.png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    with open_slide("a.png", name="a") as opened:
        yield opened


def centres(coords, size=20):
    return shapely.points(np.asarray(coords) + size / 2)


RINGS = st.lists(
    st.tuples(st.integers(-20, 140), st.integers(-20, 100)).map(lambda one: (one[0] + 0.3, one[1] + 0.7)),
    min_size=3,
    max_size=7,
)


@given(RINGS)
def test_points_of_a_grid_are_inside_as_shapely_says(ring):
    shape = shapely.polygons(ring)
    if not shape.is_valid or not shape.area:
        return
    xs, ys = np.arange(0, 120, 7) + 0.5, np.arange(0, 80, 5) + 0.5
    found = Edges(areas(polygon([*ring, ring[0]]))).inside(xs, ys)
    points = shapely.points(*np.meshgrid(xs, ys))
    off = shapely.distance(shape.boundary, points) > 1e-6  # on an outline either answer is right
    assert (found == shapely.contains(shape, points))[off].all()


def test_a_patch_is_in_the_region_where_its_centre_is_in_an_object_and_in_none_of_its_holes(slide):
    ring, hole, other = square(11, 11, 71, 71), square(31, 31, 51, 51), square(91, 5, 112, 25)
    path = written("roi.geojson", polygon(ring, hole), polygon(other))
    found = tile(slide, Tiling(**TILING), region=Region(path, slide))
    every = tile(slide, Tiling(**TILING))
    shape = shapely.union_all([shapely.polygons(ring, [hole]), shapely.polygons(other)])
    expected = every.coords[shapely.contains(shape, centres(every.coords))]
    assert 0 < len(expected) < len(every.coords)
    assert found.coords.tolist() == expected.tolist() == found.region.tolist()
    assert found.squares == every.squares
    assert (
        found.effort == f"of {every.squares} of the grid {every.squares - len(expected)} outside the region of interest"
    )


def test_the_other_rules_look_at_patches_of_the_region_alone(slide):
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    pixels[:, :60] = 90
    with open_slide(picture("half.png", pixels), name="half") as half:
        path = written("roi.geojson", polygon(square(0, 0, 120, 41)))
        tiling = Tiling(patch_size=20, stride=20, white_above=200)
        found = tile(half, tiling, region=Region(path, half))
        assert found.coords.tolist() == [[x, y] for y in (0, 20) for x in (0, 20, 40)]
        assert found.region.tolist() == [[x, y] for y in (0, 20) for x in range(0, 120, 20)]
        assert "12 outside the region of interest" in found.effort
        assert "6 white" in found.effort


class Bounded:
    """A slide whose bounds do not begin at its corner, as a scanner writes them."""

    name, width, height, bounds = "b", 1000, 900, (400, 300, WIDTH, HEIGHT)


def test_the_frame_is_qupaths_which_begins_at_the_slides_bounds(tmp_path):
    path = written(tmp_path / "roi.geojson", polygon(square(0, 0, 40, 40)))
    xs, ys = np.arange(0, 1000, 10), np.arange(0, 900, 10)
    rows, columns = np.nonzero(Region(path, Bounded).holds(xs, ys, 20))
    assert (xs[columns].min(), xs[columns].max(), ys[rows].min(), ys[rows].max()) == (390, 420, 290, 320)
    inside = np.zeros((100, 90), bool)
    inside[10:50, 20:60] = True
    np.testing.assert_array_equal(Region(path, Bounded).pixels(380, 290, 90, 100), inside)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"is no file; write the path"),
        (b"", r"is no GeoJSON; export the region from QuPath"),
        (b"\x89PNG\r\n\x1a\n", r"is no GeoJSON; export the region from QuPath"),
        (b'{"type": "FeatureCollection"', r"is no GeoJSON \(.*export the annotations again"),
        (b'{"a": 1}', r"holds JSON that is no GeoJSON features"),
        (b"[]", r"has no area; draw the region, or leave the cell empty"),
        (b'[{"type": "Feature", "geometry": null}]', r"has an object without a geometry"),
        (b'[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [3, 4]}}]', r"has a Point, which has no"),
        ([polygon(square(500, 500, 600, 600))], r"lies beyond the slide's 120 x 80 px; export it from this slide"),
        ([polygon(square(-90, 0, -10, 50))], r"lies beyond the slide's 120 x 80 px"),
        ([polygon(square(1, 1, 4, 4))], r"holds the centre of none of the 77 patches of 20 px; draw it larger"),
    ],
)
def test_a_region_that_will_not_do_is_an_error_that_names_slide_column_and_file(slide, content, said):
    if isinstance(content, bytes):
        Path("roi.geojson").write_bytes(content)
    elif content:
        written("roi.geojson", *content)
    with pytest.raises(SlidecafError, match=rf"slide a: column roi: roi\.geojson {said}"):
        tile(slide, Tiling(**TILING), region=Region("roi.geojson", slide))


MANIFEST = "results/tiles/cnn/batch-0.tsv"


def job(digests=None, on_bad_slide="fail"):
    slides = {slide: {"digest": slide, "mpp": None, "scene": ""} for slide in "abc"}
    regions = {slide: f"{slide}.geojson" for slide in digests or ()}
    slides = {slide: own | ({"roi": digests[slide]} if slide in regions else {}) for slide, own in slides.items()}
    options = {"paths": {slide: f"{slide}.png" for slide in "abc"}, "limits": LIMITS, "on_bad_slide": on_bad_slide}
    tile_slides(MANIFEST, slides, of("tiles", tiling=TILING), regions=regions, **options)


@pytest.fixture
def three(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for slide in "abc":
        Image.new("RGB", (WIDTH, HEIGHT), (90, 40, 90)).save(f"{slide}.png")
    for slide in "ab":
        written(f"{slide}.geojson", polygon(square(0, 0, 60, 60)))


def test_a_changed_region_tiles_its_slide_again_and_no_other(three):
    digests = {"a": "1", "b": "1"}
    assert done_twice(lambda: job(digests), MANIFEST) == ["a", "b", "c"]
    before = {slide: Path(f"results/tiles/cnn/{slide}.h5").stat() for slide in "abc"}
    coords, _ = read_tiles("results/tiles/cnn/b.h5")
    assert read_region("results/tiles/cnn/b.h5").tolist() == coords.tolist()
    assert read_region("results/tiles/cnn/c.h5") is None
    written("b.geojson", polygon(square(0, 0, 120, 30)))
    job({**digests, "b": "2"})
    after = {slide: Path(f"results/tiles/cnn/{slide}.h5").stat() for slide in "abc"}
    assert {slide for slide in "abc" if before[slide] != after[slide]} == {"b"}
    assert read_tiles("results/tiles/cnn/b.h5")[0].tolist() != coords.tolist()


def test_a_region_that_will_not_do_is_never_taken_for_a_bad_slide(three):
    Path("b.geojson").write_text("[]")
    with pytest.raises(SlidecafError, match=r"1 of the 3 slides of this job failed \(b\)"):
        job({"a": "1", "b": "1"}, on_bad_slide="exclude")
    assert not Path("results/tiles/cnn/b.h5").exists()
