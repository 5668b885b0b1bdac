"""Why a slide is called what it is, in the viewer: a layer, the sum in numbers, and the patches that speak most."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.layers import PATCH_SIDE, SPEAKING, Layers
from tests.viewer_study import HEIGHT, PATCH, STRIDE, WIDTH, write_heatmap


@pytest.fixture
def explained(viewed):
    """What the patches of `same` add; one of them is not valid."""
    contribution = np.sin(np.arange(len(viewed.coords)))
    contribution[7] = np.nan
    return contribution


@pytest.fixture
def layers(viewed, explained, tmp_path, monkeypatch):
    study = tmp_path / "study"
    shutil.copytree(viewed.folder, study)
    top = study / "results/classification/svm-caf/heatmap"
    write_heatmap(top / "same.h5", viewed.coords, explained, intercept=-1.0)
    write_heatmap(top / "second.h5", viewed.coords[:0], [], intercept=0.0)
    monkeypatch.chdir(study)
    opened = Layers(Catalogue())
    yield opened
    opened.close()


def own(contribution):
    """Return the patch confidences, whose mean is the decision."""
    return (~np.isnan(contribution)).sum() * contribution - 1.0


def test_the_numbers_are_those_of_the_file_and_the_mean_is_the_decision(layers, explained):
    found, values = layers.why("same", "svm-caf"), own(explained)
    assert found["confidence"] == pytest.approx(np.nanmean(values), abs=1e-9)
    assert (found["patches"], found["speaking"]) == (59, (values > 0).sum())
    assert (found["against"], found["speaks_for"], found["threshold"]) == ("LGG", "GBM", None)
    assert found["of"] == "decision value"
    assert found["most"]["for"][0]["value"] == pytest.approx(np.nanmax(values))
    assert found["most"]["against"][0]["value"] == pytest.approx(np.nanmin(values))
    for side, sign in (("for", 1), ("against", -1)):
        most = found["most"][side]
        assert 1 < len(most) <= SPEAKING
        sizes = [sign * one["value"] for one in most]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] > 0
        for k, one in enumerate(most):
            assert one["w"] == PATCH
            assert all(max(abs(one["x"] - o["x"]), abs(one["y"] - o["y"])) >= PATCH for o in most[:k])


def test_a_pixel_has_the_mean_of_the_patches_that_contain_it(layers, viewed, explained):
    values = own(explained)
    for x, y in ((5, 5), (STRIDE + 3, STRIDE + 3)):
        inside = ((viewed.coords <= (x, y)) & (viewed.coords + PATCH > (x, y))).all(axis=1)
        assert layers.values("same", "svm-caf", "", x, y)["patch"] == pytest.approx(
            np.nanmean(values[inside]), rel=1e-5
        )
    assert layers.values("same", "svm-caf", "", WIDTH - 1, HEIGHT - 1)["patch"] is None
    kind, content = layers.layer_tile("same", "heatmap/svm-caf", (0, 0, 0))
    assert (kind, content[:4]) == ("image/png", b"\x89PNG")


def test_a_patch_that_is_listed_has_a_picture_and_no_other_one(layers, viewed):
    first = layers.why("same", "svm-caf")["most"]["for"][0]
    kind, content = layers.speaking_patch("same", "svm-caf", "for", 0)
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)
    assert (kind, picture.shape) == ("image/jpeg", (PATCH_SIDE, PATCH_SIDE, 3))
    square = viewed.truth[first["y"] : first["y"] + PATCH, first["x"] : first["x"] + PATCH]  # black where it is true
    assert picture.mean() == pytest.approx(255 * (1 - square.mean()), abs=8)
    for side, place in (("for", SPEAKING), ("beside", 0)):
        with pytest.raises(LookupError):
            layers.speaking_patch("same", "svm-caf", side, place)


def test_a_slide_without_patches_says_so(layers):
    found = layers.why("second", "svm-caf")
    assert (found["patches"], "most" in found) == (0, False)
    with pytest.raises(LookupError):
        layers.speaking_patch("second", "svm-caf", "for", 0)


def test_a_network_on_patches_has_them_and_their_heat_map_which_is_of_probabilities(layers, viewed):
    config = yaml.safe_load(Path("config.yaml").read_text())
    net = {"kind": "network", "patches_of": "squares"}
    config["features"]["squares"] = {"kind": "manual", "tiling": {"patch_size": PATCH, "stride": STRIDE}}
    config["classification"]["methods"]["net"] = net
    Path("config.yaml").write_text(yaml.safe_dump(config))
    path, values = Path("results/classification/net/heatmap/same.h5"), np.linspace(-0.5, 1, 60)
    write_heatmap(path, viewed.coords, values / 60, intercept=0.0, of="probability")
    opened = Layers(Catalogue())
    found = {layer["id"]: layer["ready"] for layer in opened.slide("same")["layers"]}
    assert (found["heatmap/net"], found["patches/squares"]) == (True, False)  # there are no tiles yet
    assert "activation/net" not in found
    why = opened.why("same", "net")
    assert (why["of"], why["confidence"]) == ("probability", pytest.approx(0.25))
    views = {view["id"]: view for view in Catalogue().summary()["views"]}
    assert views["classification/net"]["meaning"] == "how much each patch speaks for the diagnosis"
    opened.close()


def test_a_method_that_shares_nothing_out_has_no_why(layers):
    with pytest.raises(LookupError):
        layers.why("same", "mcil")
