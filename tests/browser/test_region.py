"""A region of interest over its slide."""

import shutil
import threading

import pytest

from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.server import Server
from tests.browser.test_viewer import press, slide_pixels
from tests.viewer_study import add_region


@pytest.fixture
def served(viewed, tmp_path, monkeypatch):
    """In place of the study without regions that other tests look at."""
    folder = shutil.copytree(viewed.folder, tmp_path / "study")
    add_region(folder, 30, 40, 200, 300)
    monkeypatch.chdir(folder)
    with Server(Catalogue(), port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_veil_lies_over_what_is_outside_and_goes_with_its_key(look, viewed):
    (x, y), (across, down) = (180, 256), (251, 350)  # inside the region and beside it, both black
    assert viewed.truth[y, x]
    assert viewed.truth[down, across]
    page = look("#slide=same")
    press(page, "1", "z")  # the comparison off, the region being on from the start
    seen = slide_pixels(page)
    assert seen[y, x].max() < 10
    assert seen[down, across].min() > 150
    press(page, "9")
    assert slide_pixels(page)[down, across].max() < 10
