"""Maps of foreground Fisher vectors as layers: the membership, and what is foreground alone."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.class_maps import RAMP
from slidecaf.errors import SlidecafError
from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.layers import Layers
from tests import collection_study


@pytest.fixture
def first(tmp_path, monkeypatch):
    """The image that has a map, and its memberships as multiples of the mean."""
    rows = collection_study.make(tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    slide = rows[0]["slide"]
    with Image.open(f"images/{slide}.png") as opened:
        return slide, collection_study.membership(opened.size[::-1]) / 0.5


@pytest.fixture
def layers(first):
    opened = Layers(Catalogue())
    yield opened
    opened.close()


def tile(layers, slide, layer):
    kind, content = layers.layer_tile(slide, layer, (0, 0, 0))
    assert kind == "image/png"
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def test_a_method_of_foreground_vectors_has_both_layers(first, layers):
    found = {layer["id"]: layer["ready"] for layer in layers.slide(first[0])["layers"]}
    assert found == {"membership/seen": True, "foreground/seen": True}
    other = next(slide for slide in Catalogue().slides if slide != first[0])
    assert {layer["ready"] for layer in layers.slide(other)["layers"]} == {False}
    with pytest.raises(SlidecafError, match=rf"image {other}: .*does not exist; run the study"):
        layers.layer_tile(other, "membership/seen", (0, 0, 0))
    views = {view["id"]: view for view in Catalogue().summary()["views"]}
    assert views["classification/seen"]["meaning"] == "membership of places"
    assert "meaning" not in views["classification/svm"]


def test_a_pixel_is_read_as_a_multiple_of_the_mean_and_nothing_where_no_place_is(first, layers):
    slide, expected = first
    height, width = expected.shape
    for x in (0, 1, 60, width - 1):
        under = layers.values(slide, "seen", "", x, 3)
        assert under == {"membership": pytest.approx(min(expected[3, x], 2), abs=0.02)}
    assert layers.values(slide, "seen", "", 5, height - 1) == {"membership": None}
    assert layers.values(slide, "svm", "", 5, 5) == {}
    json.dumps(under, allow_nan=False)


def test_tiles_have_the_colours_of_the_drawing_and_a_veil_over_the_rest(first, layers):
    slide, expected = first
    height, width = expected.shape
    known = ~np.isnan(expected)
    membership = tile(layers, slide, "membership/seen")[:height, :width]
    assert np.array_equal(membership[..., 3] == 255, known)
    colours = np.stack([np.interp(expected[3], range(3), RAMP[:, channel]) for channel in range(3)], axis=1)
    assert np.abs(membership[3, :, :3] - colours).max() <= 4
    veil = tile(layers, slide, "foreground/seen")[:height, :width, 3]
    unsure = known & (np.abs(expected - 1) < 0.02)
    assert np.array_equal((veil == 0)[~unsure], (known & (expected > 1))[~unsure])


def test_a_damaged_map_is_an_error_that_names_it(first, layers):
    Path(f"results/classification/seen/maps/{first[0]}.png").write_bytes(b"nothing")
    with pytest.raises(SlidecafError, match=rf"maps/{first[0]}\.png"):
        layers.layer_tile(first[0], "membership/seen", (0, 0, 0))
