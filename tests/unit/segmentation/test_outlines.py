"""Outlines of masks: exact along cells, simplified within a tolerance, as QuPath reads them."""

import json
import time

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import gaussian_filter, label

from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.outlines import confidence_in, simplify, trace, write_geojson

SPIRAL = """
#######
......#
#####.#
#...#.#
#.#.#.#
#.###.#
#.....#
#######
"""
PICTURES = {
    "nothing": "...\n...",
    "the whole slide": "###\n###",
    "one cell": "#",
    "at every border": "#.#\n...\n#.#",
    "a frame": "###\n#.#\n###",
    "an island in a hole": "#####\n#...#\n#.#.#\n#...#\n#####",
    "a hole in an island in a hole": "\n".join(
        "".join("#."[min(i, j, 8 - i, 8 - j) % 2] for j in range(9)) for i in range(9)
    ),
    "corners that touch": "##..\n##..\n..##\n..##",
    "a chessboard": "#.#.\n.#.#\n#.#.",
    "holes that touch": "####\n#.##\n##.#\n####",
    "a hole that touches the outside at a corner": "####\n#.##\n##.#\n##..",
    "a spiral": SPIRAL.strip(),
}
MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: arrays.arrays(bool, shape))
TOLERANCES = st.sampled_from([0, 1, 4, 8, 20, 100])


def picture(text):
    return np.array([[letter == "#" for letter in line] for line in text.split("\n")])


def grid(shape, seed=0):
    """Cells of different sizes, as at a slide's border."""
    sides = np.random.default_rng(seed).integers(1, 12, sum(shape))
    cuts_y, cuts_x = (np.append(0, np.cumsum(part)) for part in (sides[: shape[0]], sides[shape[0] :]))
    return Cells(cuts_x, cuts_y)


def rasterise(polygons, cells):
    """Tell which px have their middle inside a polygon."""
    y, x = np.indices((cells.cuts_y[-1], cells.cuts_x[-1])) + 0.5
    drawn = np.zeros(y.shape, bool)
    for polygon in polygons:
        drawn |= shapely.contains_xy(polygon, x, y)
    return drawn


def px(mask, cells):
    return cells.expand(mask, 0, int(cells.cuts_y[-1]))


def check_exact(mask, cells):
    objects = trace(mask, cells)
    assert len(objects) == label(mask)[1]
    assert shapely.is_valid(objects).all()
    np.testing.assert_array_equal(rasterise(objects, cells), px(mask, cells))
    assert shapely.area(objects).sum() == cells.areas[mask].sum()
    return objects


@pytest.mark.parametrize("name", PICTURES)
def test_outlines_follow_the_cells_exactly(name):
    mask = picture(PICTURES[name])
    check_exact(mask, grid(mask.shape))


def test_holes_are_holes_and_islands_in_them_are_objects():
    mask = picture(PICTURES["a hole in an island in a hole"])
    objects = trace(mask, grid(mask.shape))
    assert shapely.get_num_interior_rings(objects).tolist() == [1, 1, 0]
    assert shapely.get_num_interior_rings(trace(~mask, grid(mask.shape))).tolist() == [1, 1]


def test_corners_that_touch_are_two_objects_and_holes_that_touch_are_two_holes():
    assert len(trace(picture(PICTURES["corners that touch"]), grid((4, 4)))) == 2
    assert shapely.get_num_interior_rings(trace(picture(PICTURES["holes that touch"]), grid((4, 4)))).tolist() == [2]


def test_no_corner_lies_on_a_straight_edge():
    objects = trace(np.ones((7, 5), bool), Cells(np.arange(0, 41, 8), np.arange(0, 57, 8)))
    assert shapely.get_coordinates(objects).tolist() == [[0, 0], [40, 0], [40, 56], [0, 56], [0, 0]]


@settings(max_examples=150)
@given(MASKS, st.integers(0, 5))
def test_any_mask_rasterised_again_is_the_mask(mask, seed):
    check_exact(mask, grid(mask.shape, seed))


@settings(max_examples=150)
@given(MASKS, st.integers(0, 5), TOLERANCES)
def test_simplified_and_rasterised_again_any_mask_differs_within_the_tolerance_only(mask, seed, tolerance):
    cells = grid(mask.shape, seed)
    exact = trace(mask, cells)
    simple = simplify(exact, tolerance)
    assert shapely.is_valid(simple).all()
    assert shapely.get_num_interior_rings(simple).tolist() == shapely.get_num_interior_rings(exact).tolist()
    assert (shapely.get_num_coordinates(simple) <= shapely.get_num_coordinates(exact)).all()
    for before, after in zip(exact, simple, strict=True):
        assert shapely.hausdorff_distance(before.boundary, after.boundary, densify=0.1) <= tolerance + 1e-9
    y, x = np.nonzero(rasterise(simple, cells) != px(mask, cells))
    if len(x):
        edge = shapely.union_all(shapely.boundary(exact))
        assert shapely.distance(shapely.points(x + 0.5, y + 0.5), edge).max() <= tolerance + 1e-9


def test_a_staircase_becomes_a_slope():
    mask = np.tril(np.ones((40, 40), bool))
    cells = Cells(np.arange(0, 321, 8), np.arange(0, 321, 8))
    exact = trace(mask, cells)
    assert shapely.get_num_coordinates(exact)[0] > 80
    assert shapely.get_num_coordinates(simplify(exact, 8))[0] <= 6
    assert (simplify(exact, 0) == exact).all()


def test_confidences_are_means_over_px_and_maxima_of_each_object():
    mask = picture("##.#\n...#")
    cells = Cells(np.array([0, 10, 30, 40, 50]), np.array([0, 10, 15]))
    values = np.array([[1, 4, np.nan, 2], [np.nan, np.nan, np.nan, 8]], np.float32)
    objects = trace(mask, cells)
    mean, maximum = confidence_in(objects, mask, values, cells)
    assert dict(zip(shapely.bounds(objects)[:, 0], mean, strict=True)) == {0: 3, 40: 4}
    assert dict(zip(shapely.bounds(objects)[:, 0], maximum, strict=True)) == {0: 4, 40: 8}


def test_the_file_is_what_qupath_reads(tmp_path):
    mask = picture(PICTURES["an island in a hole"])
    objects = trace(mask, grid(mask.shape))
    said = {"slide": "a-1", "tolerance_px": 8}
    measured = [{"Confidence: mean": 0.5}, {"Confidence: mean": 1.25}]
    write_geojson(tmp_path / "a.geojson", objects, measurements=measured, name='"Größe"', about=said)
    written = json.loads((tmp_path / "a.geojson").read_text())
    assert (written["type"], written["slidecaf"]) == ("FeatureCollection", said)
    for feature, polygon, own in zip(written["features"], objects, measured, strict=True):
        assert feature["type"] == "Feature"
        assert feature["properties"] == {
            "objectType": "annotation",
            "name": '"Größe"',
            "classification": {"name": "Necrosis", "color": [0, 110, 255]},
            "measurements": own,
        }
        rings = feature["geometry"]["coordinates"]
        assert feature["geometry"]["type"] == "Polygon"
        assert all(ring[0] == ring[-1] and isinstance(ring[0][0], int) for ring in rings)
        assert shapely.geometry.shape(feature["geometry"]).equals(polygon)
        # the outer ring runs against the holes', as GeoJSON asks
        assert [shapely.is_ccw(shapely.linearrings(ring)) for ring in rings] == [True] + [False] * (len(rings) - 1)


def test_a_file_without_objects_is_an_empty_collection(tmp_path):
    empty = trace(np.zeros((3, 3), bool), grid((3, 3)))
    write_geojson(tmp_path / "a.geojson", simplify(empty, 8), measurements=[], name="x", about={})
    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []


def test_written_twice_the_bytes_are_equal(tmp_path):
    mask = np.random.default_rng(0).random((30, 30)) > 0.5
    for name in "ab":
        objects = trace(mask, grid(mask.shape))
        write_geojson(tmp_path / name, objects, measurements=[{}] * len(objects), name="x", about={"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_slide_of_20000_px_a_side_takes_seconds():
    cells = Cells(np.arange(0, 20_001, 8), np.arange(0, 20_001, 8))
    mask = gaussian_filter(np.random.default_rng(0).normal(size=cells.shape), 14) > 0  # as smooth as patches make a map
    start = time.monotonic()
    objects = simplify(trace(mask, cells), 8)
    assert time.monotonic() - start < 60
    assert len(objects) > 100
