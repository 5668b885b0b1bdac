"""Pictures in the page: their size, their place, what is drawn on them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from slidecaf.report.pictures import (
    FALSE,
    LARGEST,
    MISSED,
    SMALLEST,
    TILE,
    Album,
    data_uri,
    mark_points,
    open_picture,
    outline_tiles,
    without_legend,
)
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.overlay import overlay
from slidecaf.slides import open_slide
from slidecaf.slides.thumbnail import write_jpeg


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def decoded(uri):
    kind, _, data = uri.partition(";base64,")
    assert kind == "data:image/jpeg"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_an_album_never_holds_more_bytes_than_allowed_even_of_the_worst_pictures():
    album = Album(20, allowed=1_000_000)
    uris = [album.put(noise(600, 400, seed)) for seed in range(60)]
    kept = [uri for uri in uris if uri]
    assert sum(map(len, kept)) <= 1_000_000
    assert album.left_out == 60 - len(kept) > 0
    assert uris[: len(kept)] == kept  # once it is full, later and smaller ones do not jump the queue


def test_few_pictures_are_large_and_many_are_small():
    few, many = Album(2, allowed=10**7), Album(10**6, allowed=10**7)
    assert (few.side, many.side) == (LARGEST, SMALLEST)
    assert decoded(many.put(noise(800, 400))).size == (SMALLEST, SMALLEST // 2)
    assert decoded(few.put(noise(80, 40))).size == (80, 40)  # never enlarged


def test_a_data_uri_holds_the_picture():
    picture = Image.new("RGB", (30, 20), (200, 30, 90))
    back = decoded(data_uri(picture))
    assert back.size == (30, 20)
    assert np.abs(np.asarray(back).astype(int) - np.asarray(picture)).max() < 8


def test_tiles_are_outlined_at_their_place_on_the_small_picture():
    picture = Image.new("RGB", (100, 50), "white")
    marked = np.asarray(outline_tiles(picture, np.array([[200, 100]]), 200, 1000, 500))
    edge = (marked == TILE).all(axis=2)
    rows, columns = np.flatnonzero(edge.any(axis=1)), np.flatnonzero(edge.any(axis=0))
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (20, 40, 10, 30)
    assert not edge[11:30, 21:40].any()


def test_tiles_too_small_to_see_are_outlined_together():
    grid = np.stack(np.meshgrid(np.arange(200, 600, 8), np.arange(0, 400, 8)), axis=-1).reshape(-1, 2)
    marked = np.asarray(outline_tiles(Image.new("RGB", (100, 50), "white"), grid, 112, 1000, 500))
    edge = (marked == TILE).all(axis=2)
    assert edge[25, 20]
    assert not edge[10:40, 30:60].any()
    assert not edge[:, :18].any()


def test_a_slide_without_tiles_stays_as_it_is():
    picture = noise(50, 50)
    assert outline_tiles(picture, np.zeros((0, 2), int), 100, 500, 500) is picture


def test_the_legend_is_cut_off_whatever_the_slides_shape(tmp_path):
    for width, height in ((300, 200), (2400, 300), (200, 900), (3000, 2000)):
        Image.new("RGB", (width, height), (150, 60, 120)).save(tmp_path / "slide.png")
        cells = Cells(np.array([0, width]), np.array([0, height]))
        with open_slide(tmp_path / "slide.png") as slide:
            write_jpeg(tmp_path / "o.jpg", overlay(slide, cells, np.zeros((1, 1), bool), None, title="a title " * 9))
        for longest in (100, 5000):
            bare = without_legend(open_picture(tmp_path / "o.jpg", longest), width, height)
            assert abs(bare.width / bare.height - width / height) < 0.06 * width / height
            assert np.abs(np.asarray(bare).astype(int) - (150, 60, 120)).max() < 12


def test_hard_examples_are_marked_by_kind_at_their_place():
    marked = np.asarray(
        mark_points(Image.new("RGB", (200, 100), "white"), [(500, 250, "missed"), (100, 100, "false")], 1000, 500)
    )
    assert tuple(marked[50, 100]) == MISSED
    assert tuple(marked[20, 20]) == FALSE
    assert (marked != 255).any(axis=2).sum() < 60


def test_maps_of_membership_are_spread_from_the_best_to_the_worst_with_their_mean(tmp_path):
    from slidecaf.files.tables import write_tsv
    from slidecaf.report.classification import MAPS, membership_maps
    from slidecaf.study.layout import Layout

    layout = Layout(str(tmp_path))
    (tmp_path / "classification/m/maps").mkdir(parents=True)
    rows = [{"slide": f"s{i:02}", "auc": i / 20 if i else "", "foreground": 0.5} for i in range(21)]
    for row in rows:
        Image.new("RGB", (60, 20)).save(layout.class_maps.format(method="m", slide=row["slide"]))
    write_tsv(layout.map_scores.format(method="m"), ["slide", "auc", "foreground"], rows)
    found = membership_maps(layout, "m", Album(8, allowed=10**6))
    assert (found["n"], found["auc"]) == (20, pytest.approx(np.mean(np.arange(1, 21) / 20)))
    shown = [slide["auc"] for slide in found["slides"]]
    assert (len(shown), shown[0], shown[-1]) == (MAPS, 1.0, 0.05)
    assert shown == sorted(shown, reverse=True)
    assert all(slide["picture"].startswith("data:image/") for slide in found["slides"])
