"""What a network sees as layers: its class activation map, and what is foreground alone."""

import io
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf.classification.class_maps import RAMP, draw, write_map
from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.layers import Layers
from tests import collection_study


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """An image with the map of a network: from -1 at the left to 4 at the right."""
    rows = collection_study.make(tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    config = yaml.safe_load(Path("config.yaml").read_text())
    config["classification"]["methods"]["cnn"] = {"kind": "network", "architecture": "arl-14"}
    Path("config.yaml").write_text(yaml.safe_dump(config))
    slide, top = rows[0]["slide"], Path("results/classification/cnn")
    (top / "maps").mkdir(parents=True)
    (top / "predictions.tsv").write_bytes(Path("results/classification/svm/predictions.tsv").read_bytes())
    with Image.open(f"images/{slide}.png") as opened:
        picture = np.asarray(opened)
    values = np.broadcast_to(np.linspace(-1, 4, picture.shape[1]), picture.shape[:2])
    said = {"threshold": 0.8, "middle": 2.0, "attention": "layer4.0.attention"}
    looked = np.broadcast_to(np.linspace(0.3, 0.1, picture.shape[1]), picture.shape[:2])
    drawn = draw(picture, values, said["threshold"], said["middle"], looked)
    write_map(top / f"maps/{slide}.png", drawn, said)
    layers = Layers(Catalogue())
    yield slide, values, layers
    layers.close()


def test_a_method_that_trains_a_network_has_both_layers(seen):
    slide, _, layers = seen
    found = {layer["id"]: layer["ready"] for layer in layers.slide(slide)["layers"]}
    assert (found["activation/cnn"], found["foreground/cnn"], found["attention/cnn"]) == (True, True, True)
    views = {view["id"]: view for view in Catalogue().summary()["views"]}
    assert views["classification/cnn"]["meaning"] == "class activation map"


def test_a_pixel_is_read_as_a_share_of_the_largest_value(seen):
    slide, values, layers = seen
    for x in (0, 50, 120, values.shape[1] - 1):
        found = layers.values(slide, "cnn", "", x, 3)
        looked = np.linspace(1, 1 / 3, values.shape[1])[x]
        shares = {"activation": max(values[3, x], 0) / 4, "attention": looked}
        assert found == {kind: pytest.approx(share, abs=0.02) for kind, share in shares.items()}


def test_tiles_have_the_drawings_colours_and_a_veil_over_the_rest(seen):
    slide, _, layers = seen

    def tile(layer):
        kind, content = layers.layer_tile(slide, layer, (0, 0, 0))
        assert kind == "image/png"
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)

    coloured, veil = tile("activation/cnn"), tile("foreground/cnn")
    right = np.flatnonzero(coloured[3, :, 3])[-1]
    assert abs(coloured[3, 0, :3] - RAMP[0]).max() < 20
    assert abs(coloured[3, right, :3] - RAMP[2]).max() < 20
    assert (veil[3, 0, 3], veil[3, right, 3]) == (255, 0)
