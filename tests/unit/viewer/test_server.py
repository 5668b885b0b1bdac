import base64
import hashlib
import http.client
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.layers import Layers
from slidecaf.viewer.server import Server
from tests.viewer_study import HEIGHT, HOSTILE, THRESHOLD, WIDTH, add_region


@pytest.fixture
def ask(served):
    """Ask the server for a path as it stands, without a client that tidies it up."""

    def send(path, method="GET", **headers):
        connection = http.client.HTTPConnection(*served.server_address[:2], timeout=20)
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    return send


def picture(answer):
    assert answer.status == 200, answer.content
    return np.array(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def test_the_page_and_all_that_it_names_come_from_here(ask):
    page = ask("/")
    assert page.status == 200
    text = page.content.decode()
    assert "http" not in text.replace("http-equiv", "")
    names = [part.split('"')[0] for part in text.split("/static/")[1:]]
    assert len(names) == 4
    assert all(ask(f"/static/{name}").status == 200 for name in names)
    policy = page.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_leaflet_is_the_release_that_its_makers_published(ask):
    # the integrity that leafletjs.com gives for 1.9.4
    published = "20nQCchB9co0qIjJZRGuk2/Z9VM+kNiyxNV1lvTlZBo="
    digest = hashlib.sha256(ask("/static/leaflet.js").content).digest()
    assert base64.b64encode(digest).decode() == published


def test_a_study_lists_its_slides_with_results_and_what_is_artificial(ask):
    study = json.loads(ask("/api/study").content)
    slides = {slide["slide"]: slide for slide in study["slides"]}
    assert set(slides) == {"same", "second", "third", "bad", "gone"}
    assert slides["same"]["results"]["segmentation/svm-cnn/plain"] == {"value": 0.8125, "status": "ok"}
    assert slides["second"]["results"]["classification/svm-caf"]["right"] is False
    assert slides["bad"]["results"]["classification/svm-caf"]["status"] == "unreadable"
    assert slides["gone"]["patient"] == HOSTILE
    assert slides["third"]["more"] == {"site": "Wien"}
    assert study["caveats"] == ["random weights: the network was never trained (cnn-64)"]


def test_values_under_a_pixel_are_those_of_the_files(ask, viewed):
    for x, y in ((0, 0), (251, 255), (649, 14), (650, 14), (WIDTH - 1, HEIGHT - 1), (512, 512)):
        under = json.loads(ask(f"/api/slides/same/values?method=svm-cnn&variant=plain&x={x}&y={y}").content)
        expected = viewed.confidence[y, x]
        assert under["confidence"] == (None if np.isnan(expected) else float(expected))
        assert under["truth"] == viewed.truth[y, x]
        assert under["prediction"] == viewed.predicted[y, x]


def test_the_colour_bar_tells_the_scale_and_the_threshold(ask):
    found = json.loads(ask("/api/slides/same/confidence/svm-cnn/plain").content)
    assert found == {"scale": 2.0, "threshold": THRESHOLD}


def test_full_resolution_tiles_show_the_masks_pixel_by_pixel(ask, viewed):
    for column, row in ((0, 0), (1, 1), (2, 2)):
        y, x = 256 * row, 256 * column
        here = viewed.truth[y : y + 256, x : x + 256]
        opaque = picture(ask(f"/tiles/same/truth/0/{column}/{row}"))[..., 3]
        assert np.array_equal(opaque[: here.shape[0], : here.shape[1]] == 255, here)
        assert opaque.sum() == 255 * here.sum()


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "//etc/passwd",
        "/static/../config.yaml",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/%2e%2e/server.py",
        "/static//etc/passwd",
        "/static/",
        "/tiles/..%2f..%2fetc%2fpasswd/image/0/0/0",
        "/tiles/../image/0/0/0",
        "/tiles/same.png/image/0/0/0",
        "/tiles/same%00/image/0/0/0",
        "/tiles/same/confidence/..%2f..%2fsvm-cnn/plain/0/0/0",
        "/tiles/same/confidence/svm-cnn/../0/0/0",
        "/tiles/same/patches/%2fetc/0/0/0",
        "/api/slides/..%2fconfig.yaml",
        "/api/slides/same/confidence/svm-cnn/..%2fplain",
        "/config.yaml",
        "/results/study.yaml",
        "/tiles/same/image/0/9/0",
        "/tiles/same/image/0/-1/0",
        "/tiles/same/image/9/0/0",
        "/tiles/same/image/0/0/1e3",
        "/tiles/same/image/0/%D9%A3/0",
    ],
)
def test_paths_that_are_no_names_of_the_study_find_nothing(ask, path):
    answer = ask(path)
    assert answer.status in (400, 404)
    assert b"root:" not in answer.content
    assert b"features:" not in answer.content


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "192.168.1.7", "localhost.evil.example"]
)
def test_other_names_for_this_machine_are_refused(ask, host):
    answer = ask("/api/study", Host=host)
    assert answer.status == 403
    assert b"slides" not in answer.content


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8080"])
def test_the_ways_to_name_this_machine_are_taken_also_through_a_tunnel(ask, host):
    assert ask("/api/study", Host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(ask, method):
    assert ask("/api/study", method=method).status == 501


def test_looking_changes_no_file_of_the_study(ask, viewed):
    def state():
        return {path: path.stat().st_mtime_ns for path in viewed.folder.rglob("*")}

    before = state()
    for path in ("/", "/api/study", "/api/slides/same", "/tiles/same/comparison/svm-cnn/hard/1/0/0", "/api/slides/bad"):
        ask(path)
    assert state() == before


def test_a_bad_slide_says_what_is_wrong_and_the_rest_works(ask):
    for slide, reason in (("bad", "cannot be opened"), ("gone", "is no file")):
        answer = ask(f"/api/slides/{slide}")
        assert answer.status == 422
        assert reason in json.loads(answer.content)["error"]
    assert ask("/tiles/same/image/0/0/0").status == 200


def test_what_is_not_computed_yet_is_said(ask):
    layers = json.loads(ask("/api/slides/second").content)["layers"]
    assert {layer["kind"]: layer["ready"] for layer in layers}["confidence"] is False
    answer = ask("/tiles/second/confidence/svm-cnn/plain/0/0/0")
    assert answer.status == 422
    assert "does not exist; run the study" in json.loads(answer.content)["error"]


def test_a_browser_keeps_only_tiles_that_name_a_version(ask):
    assert ask("/tiles/same/image/0/0/0").getheader("Cache-Control") == "no-store"
    assert "immutable" in ask("/tiles/same/image/0/0/0?v=1").getheader("Cache-Control")
    assert ask("/tiles/bad/image/0/0/0?v=1").getheader("Cache-Control") == "no-store"


def test_a_taken_port_is_an_error_that_names_the_way_out(served):
    with pytest.raises(SlidecafError, match="give another --port"):
        Server(Catalogue(), port=served.server_address[1])


def test_slides_that_the_workflow_draws_are_called_synthetic(viewed, monkeypatch):
    monkeypatch.chdir(viewed.folder)
    catalogue = Catalogue()
    drawn = {catalogue.row("same").path}
    said = "synthetic slides: drawn by slidecaf.demo, no tissue"
    assert said not in catalogue.caveats()
    assert said in Catalogue(made=drawn).caveats()


def test_a_folder_without_a_config_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SlidecafError, match=r"has no config\.yaml; name the folder"):
        Catalogue()


def test_every_kind_of_layer_has_its_place_among_those_that_are_drawn(ask):
    panel, stage = (ask(f"/static/{name}.js").content.decode() for name in ("panel", "stage"))
    kinds = re.findall(r'\{ kind: "([a-z-]+)"', panel)
    order = re.findall(r'"([a-z-]+)"', re.search(r"const ORDER = \[(.*)\];", stage)[1])
    assert len(kinds) == len(set(kinds)) > 10
    assert sorted(["image", *kinds]) == sorted(order)


def test_what_is_outside_a_region_of_interest_lies_under_a_veil(viewed, tmp_path, monkeypatch):
    folder = shutil.copytree(viewed.folder, tmp_path / "study")
    add_region(folder, 30, 40, 200, 300)
    monkeypatch.chdir(folder)
    catalogue = Catalogue()
    assert "region" not in {layer["kind"] for layer in catalogue.layers("second")}
    layers = Layers(catalogue)
    _, content = layers.layer_tile("same", "region", (0, 0, 0))
    layers.close()
    drawn = np.array(Image.open(io.BytesIO(content)))
    veiled = np.full((256, 256), 255)
    veiled[40:, 30:200] = 0
    np.testing.assert_array_equal(drawn[..., 3], veiled)


def test_a_feature_set_of_whole_slides_has_no_layer(viewed, tmp_path, monkeypatch):
    shutil.copytree(viewed.folder, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    config = yaml.safe_load(Path("config.yaml").read_text())
    config["features"]["whole"] = {"tiling": "whole", "encoder": config["features"]["cnn-64"]["encoder"]}
    config["classification"]["methods"]["svm-caf"]["features"] = ["whole"]
    Path("config.yaml").write_text(yaml.safe_dump(config))
    layers = Catalogue().layers("same")
    assert [layer["features"] for layer in layers if layer["kind"] == "patches"] == ["cnn-64"]
