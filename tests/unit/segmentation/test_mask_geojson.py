"""Annotations as masks: GeoJSON of QuPath, made pixels."""

import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.errors import SlidecafError
from slidecaf.segmentation import mask_values
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.masks import Mask, mask_strips
from slidecaf.segmentation.outlines import trace, write_geojson

WIDTH, HEIGHT = 60, 40


def feature(geometry, name=None, **properties):
    said = {"classification": {"name": name, "color": [1, 2, 3]}} if name else {}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation", **said, **properties}}


def square(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def written(path, *features, whole=None):
    path.write_text(json.dumps(whole if whole is not None else {"type": "FeatureCollection", "features": features}))
    return path


def mask(path, width=WIDTH, height=HEIGHT, column="mask", **options):
    return Mask(path, slide="a-1", row=7, column=column, width=width, height=height, **options)


def read(path, **options):
    return np.concatenate(list(mask(path, **options).strips()))


def inside(geometries, width=WIDTH, height=HEIGHT):
    """Return which centres of px lie in one of some shapely geometries."""
    y, x = np.mgrid[:height, :width] + 0.5
    union = shapely.unary_union(geometries)
    return shapely.contains_xy(union, x.ravel(), y.ravel()).reshape(height, width)


def test_areas_with_holes_several_parts_and_overlaps_are_the_px_whose_centre_they_hold(tmp_path):
    holed = polygon(square(2, 3, 30, 25), square(8, 8, 12, 20))
    several = {"type": "MultiPolygon", "coordinates": [[square(40, 2, 50, 9)], [square(41, 20, 59, 39)]]}
    oblique = polygon([[25, 20], [48.3, 30.7], [31.2, 39.9], [25, 20]])
    path = written(tmp_path / "m.geojson", *map(feature, (holed, several, oblique)))
    shapes = [shapely.geometry.shape(geometry) for geometry in (holed, several, oblique)]
    assert (read(path) == inside(shapes)).all()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[st.floats(-10, 70, allow_nan=False, width=32)] * 4, st.floats(1, 25)), min_size=1, max_size=4),
    st.integers(60, 400),
)
def test_any_stars_are_the_px_whose_centre_they_hold_whatever_the_bands(tmp_path_factory, stars, piece):
    path, drawn = tmp_path_factory.mktemp("m") / "m.geojson", []
    for x, y, turned, _, radius in stars:
        angles = turned + np.arange(10) * np.pi / 5
        reach = np.where(np.arange(10) % 2, radius, radius / 2.3)
        ring = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1)
        drawn.append(shapely.Polygon(ring))
    drawn.append(shapely.box(1, 1, 3, 3))  # so that not all lie beyond the slide
    written(path, *(feature(json.loads(shapely.to_geojson(one))) for one in drawn))
    expected = inside(drawn)
    kept = mask_values.PIECE
    try:
        mask_values.PIECE = piece
        found = read(path)
    finally:
        mask_values.PIECE = kept
    # a centre that lies on a side, to the last bit, may fall either way
    sides = shapely.boundary(shapely.unary_union(drawn))
    for y, x in np.argwhere(found != expected):
        assert sides.distance(shapely.Point(x + 0.5, y + 0.5)) < 1e-9


def test_our_own_outlines_come_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    drawn = rng.random((HEIGHT, WIDTH)) < 0.4
    cells = Cells(np.arange(WIDTH + 1), np.arange(HEIGHT + 1))
    objects = trace(drawn, cells)
    write_geojson(tmp_path / "m.geojson", objects, measurements=[{}] * len(objects), name="x", about={})
    assert (read(tmp_path / "m.geojson") == drawn).all()


def test_a_class_is_chosen_by_its_name_and_several_without_a_choice_are_refused(tmp_path):
    necrosis, tissue = polygon(square(0, 0, 10, 10)), polygon(square(0, 0, 60, 40))
    path = written(tmp_path / "m.geojson", feature(tissue, "Tissue"), feature(necrosis, "Necrosis"))
    assert read(path, mask_class=["Necrosis"]).sum() == 100
    assert read(path, mask_class=["Necrosis", "Tissue"]).all()
    with pytest.raises(
        SlidecafError,
        match=r"row 7, column mask: the mask of slide 'a-1', .* has objects of several classes \(Necrosis, Tissue\); "
        r"set segmentation.mask_class to the one that is meant, or export those of one class\.",
    ):
        read(path)
    with pytest.raises(SlidecafError, match=r"several classes \(Necrosis, Tissue\); export those of one class"):
        read(path, column="hemorrhage", mask_class=["Necrosis"])


def test_a_class_that_no_object_has_is_an_empty_mask_with_a_warning(tmp_path):
    path = written(tmp_path / "m.geojson", feature(polygon(square(0, 0, 9, 9)), "Tissue"))
    looked = mask(path, mask_class=["Necrosis"])
    looked.look()
    assert (looked.marked, looked.pixels, looked.size) == (0, WIDTH * HEIGHT, (WIDTH, HEIGHT))
    assert "has no object of segmentation.mask_class: Necrosis and objects of Tissue; correct" in looked.warning


@pytest.mark.parametrize("whole", [{"type": "FeatureCollection", "features": []}, []])
def test_a_file_without_objects_is_a_slide_without_necrosis(tmp_path, whole):
    assert not read(written(tmp_path / "m.geojson", whole=whole)).any()


def test_a_list_a_single_feature_a_byte_order_mark_and_names_are_read(tmp_path):
    one = feature(polygon(square(0, 0, 10, 10)), classification={"names": ["Tumor", "Necrosis"]})
    for whole in ([one], one):
        assert read(written(tmp_path / "m.geojson", whole=whole), mask_class=["Tumor: Necrosis"]).sum() == 100
    (tmp_path / "m.geojson").write_text("\ufeff " + json.dumps([one]), encoding="utf-8")
    assert read(tmp_path / "m.geojson").sum() == 100


def test_objects_lie_in_the_frame_of_the_slides_bounds(tmp_path):
    path = written(tmp_path / "m.geojson", feature(polygon(square(0, 0, 5, 4))))
    found = read(path, bounds=(20, 10, 30, 20))
    assert np.argwhere(found).min(axis=0).tolist() == [10, 20]
    assert found.sum() == 20


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        ("{ nothing", r"is no GeoJSON \(.*\); export the annotations again"),
        ({"type": "Polygon"}, "holds JSON that is no GeoJSON features; export the annotations as GeoJSON"),
        ([feature({"type": "LineString", "coordinates": [[0, 0], [1, 1]]})], "has a LineString, which has no area"),
        ([feature({"type": "Blob"})], "has a geometry of type 'Blob'"),
        ([feature({"type": "Polygon"})], "has coordinates that cannot be read"),
        ([feature(polygon([["a", 1], [2, 3], [4, 5]]))], "has coordinates that cannot be read"),
        ([feature(polygon(square(70, 0, 90, 10)))], r"has all its objects beyond the slide's 60 x 40 px"),
        ([feature(polygon(square(0, 50, 9, 90)))], r"has all its objects beyond the slide's 60 x 40 px"),
    ],
)
def test_what_cannot_be_read_as_meant_is_refused_with_what_to_do(tmp_path, whole, said):
    path = tmp_path / "m.geojson"
    path.write_text(whole if isinstance(whole, str) else json.dumps(whole))
    with pytest.raises(SlidecafError, match=rf"row 7, column mask: the mask of slide 'a-1', .*{said}"):
        read(path)


def test_a_large_slide_takes_no_memory_of_its_size(tmp_path):
    path = written(tmp_path / "m.geojson", feature(polygon(square(10, 10, 60_000, 30_000))))
    looked = mask(path, width=80_000, height=60_000)
    looked.look(most=10**7)
    assert looked.size == (80_000, 60_000)
    assert 0.2 < looked.marked / looked.pixels < 0.6
    first = next(mask_strips(path, slide="a", row=1, column="mask", width=80_000, height=60_000))
    assert first.sum() == 246 * (60_000 - 10)
