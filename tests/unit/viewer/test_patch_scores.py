"""Scores and clusters of patches as layers: each pixel shows what all patches say that contain it."""

import numpy as np
import pytest

from slidecaf.viewer import paint
from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.layer_files import PatchRaster
from slidecaf.viewer.layers import Layers
from tests.viewer_study import HEIGHT, PATCH, WIDTH


@pytest.fixture
def layers(viewed, monkeypatch):
    monkeypatch.chdir(viewed.folder)
    opened = Layers(Catalogue())
    yield opened
    opened.close()


def pixels(viewed, values):
    """Return the mean of the patches' values over those that contain a pixel, written out."""
    sums, counts = np.zeros((2, HEIGHT, WIDTH))
    for (x, y), value in zip(viewed.coords, values, strict=True):
        sums[y : y + PATCH, x : x + PATCH] += value
        counts[y : y + PATCH, x : x + PATCH] += 1
    return np.where(counts, sums / np.maximum(counts, 1), np.nan)


def test_a_pixel_has_the_mean_score_and_the_shares_of_clusters(viewed):
    path = viewed.folder / "results/classification/mcil/patches/same.h5"
    whole = PatchRaster(path, "patch-score", width=WIDTH, height=HEIGHT).read(0, 0, WIDTH, HEIGHT)
    np.testing.assert_allclose(whole[..., 0], pixels(viewed, viewed.scores), rtol=1e-5)
    shares = PatchRaster(path, "cluster", width=WIDTH, height=HEIGHT).read(100, 40, 300, 200)
    assert shares.shape == (200, 300, 2)
    for k in range(2):
        of = (np.arange(60) % 2 == k) & (viewed.scores > 0)
        np.testing.assert_allclose(shares[..., k], pixels(viewed, of)[40:240, 100:400], atol=1e-6)


def test_a_slide_has_both_layers_with_values_and_a_scale(viewed, layers):
    found = {layer["id"]: layer for layer in layers.slide("same")["layers"]}
    assert found["patch-score/mcil"]["ready"]
    assert found["cluster/mcil"]["clusters"] == 2
    assert {layer["id"]: layer["ready"] for layer in layers.slide("second")["layers"]}["patch-score/mcil"] is False
    assert "patch-score/mcil" not in {layer["id"] for layer in layers.slide("third")["layers"]}
    under = layers.values("same", "mcil", "", 5, 5)
    assert under["score"] == pytest.approx(viewed.scores[0], abs=1e-6)
    assert (under["cluster"], "confidence" in under) == (0, False)
    assert layers.values("same", "mcil", "", WIDTH - 1, HEIGHT - 1)["score"] is None
    assert layers.confidence("same", "patch-score/mcil") == {"scale": 2, "threshold": None}
    for layer in ("patch-score/mcil", "cluster/mcil"):
        kind, content = layers.layer_tile("same", layer, (0, 0, 0))
        assert (kind, content[:4]) == ("image/png", b"\x89PNG")


def test_a_cluster_is_as_opaque_as_its_share():
    means = np.array([[[1, 0, 1], [0, 0.5, 1], [0.25, 0.25, 1], [0, 0, 1], [1, 0, 0]]], np.float32)
    tile = paint.cluster_tile(means)[0]
    first, second = (np.array(paint.CLUSTERS[k]) for k in range(2))
    np.testing.assert_array_equal(tile[:, 3], [255, 128, 128, 0, 0])
    np.testing.assert_array_equal(tile[0, :3], first)
    np.testing.assert_array_equal(tile[1, :3], second)
    np.testing.assert_allclose(tile[2, :3], (first + second) / 2, atol=0.5)


def test_the_study_says_which_methods_show_patches(viewed, layers):
    views = {view["id"]: view for view in Catalogue().summary()["views"]}
    assert views["classification/mcil"]["meaning"] == "scores and clusters of patches"
    assert views["classification/svm-caf"]["meaning"] == "how much each patch speaks for the diagnosis"
