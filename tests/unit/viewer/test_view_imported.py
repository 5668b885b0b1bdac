"""The viewer on a study whose features another program computed."""

import http.client
import json
import threading

import numpy as np
import pytest

from slidecaf.exchange.reading import encoder_name, read_features, read_patches, tiles_attributes
from slidecaf.features.file import write_features
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.rasters import write_confidence, write_mask
from slidecaf.slides import open_slide
from slidecaf.study.imported import Source
from slidecaf.tiles.file import write_tiles
from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.server import Server
from tests import imported_study
from tests.imported_study import ENCODER, SIZE

SLIDE = "gbm-1"


@pytest.fixture
def study(tmp_path, monkeypatch):
    folder = imported_study.make(tmp_path / "study")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def computed(study):
    """The study with the results of one slide, as the run leaves them."""
    source = Source(study / f"job/features_uni_v1/{SLIDE}.h5")
    with open_slide(study / f"slides/{SLIDE}.png", name=SLIDE) as slide:
        patches = read_patches(source, slide, kind="trident")
        tiles = tiles_attributes(slide, patches) | {"name": SLIDE, "status": "ok"}
    write_tiles(study / f"results/tiles/uni/{SLIDE}.h5", patches.coords, tiles)
    values = read_features(source, patches, name=SLIDE)
    attributes = {"encoder": encoder_name(patches.encoder, "job/features_uni_v1"), "status": "ok"}
    path, length = study / f"results/features/uni/{SLIDE}.h5", patches.dimension
    with write_features(path, patches.coords, length, coords_attributes=tiles, attributes=attributes) as writer:
        writer.append(values, np.ones(len(values), bool))
    cells = Cells(np.arange(SIZE + 1), np.arange(SIZE + 1))
    top = study / "results/segmentation/maps/plain"
    values = np.linspace(-1, 1, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    write_confidence(top / f"confidence/{SLIDE}.tif", values, cells, attributes={}, mpp=None)
    write_mask(top / f"mask/{SLIDE}.tif", values > 0, cells, attributes={}, mpp=None)
    return study


@pytest.fixture
def ask(study, repository):
    """Ask a server of the study for a path; results may come after it has begun."""
    with Server(Catalogue(), port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def send(path):
            connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            assert answer.status == 200, content
            return content

        yield send
        server.shutdown()


def test_it_is_said_that_features_were_imported(ask):
    said = json.loads(ask("/api/study"))
    assert said["caveats"] == ["imported features (uni): computed by TRIDENT, not by slidecaf"]
    assert [view["id"] for view in said["views"]][:2] == ["classification/svm-cnn", "segmentation/maps/plain"]


def test_imported_patches_and_maps_from_them_are_shown(computed, ask):
    layers = {layer["id"]: layer for layer in json.loads(ask(f"/api/slides/{SLIDE}"))["layers"]}
    assert layers["patches/uni"]["ready"]
    assert layers["patches/uni"]["encoder"] == ENCODER
    assert layers["confidence/maps/plain"]["ready"]
    for layer in ("patches/uni", "confidence/maps/plain", "comparison/maps/plain"):
        assert ask(f"/tiles/{SLIDE}/{layer}/0/0/0")[:4] in (b"\x89PNG", b"RIFF")
    under = json.loads(ask(f"/api/slides/{SLIDE}/values?method=maps&variant=plain&x=0&y={SIZE - 1}"))
    assert under["prediction"] is True


def test_before_the_run_no_encoder_is_known(ask):
    layers = {layer["id"]: layer for layer in json.loads(ask(f"/api/slides/{SLIDE}"))["layers"]}
    assert not layers["patches/uni"]["ready"]
    assert layers["patches/uni"]["encoder"] == ""
