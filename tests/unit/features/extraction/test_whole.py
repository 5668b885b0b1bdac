"""Whole images through a network: torchvision's own resize, and nothing that depends on neighbours."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as transforms

from slidecaf.errors import SlideError
from slidecaf.features.extraction.pipeline import Pipeline
from slidecaf.features.extraction.whole import PADDING, extract, square
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.slides import open_slide

SPEC = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(300, 200), (64, 64), (31, 80), (1000, 64), (20, 20)])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_image_is_resized_as_torchvision_does_it(tmp_path, size, suffix):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(noise(*size)).save(path)
    decoded = torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy()).permute(2, 0, 1)
    with open_slide(path) as slide:
        found = square(slide, 64, "stretch")
    assert torch.equal(found, transforms.resize(decoded, [64, 64], antialias=True))


def test_an_image_that_keeps_its_shape_stands_in_the_middle_of_what_is_zero_to_the_network(tmp_path):
    Image.fromarray(noise(120, 90)).save(tmp_path / "image.png")
    with open_slide(tmp_path / "image.png") as slide:
        found, whole = square(slide, 64, "pad"), torch.from_numpy(slide.read(0, 0, 120, 90)).permute(2, 0, 1)
    assert torch.equal(found[:, 8:56], transforms.resize(whole, [48, 64], antialias=True))
    beside = torch.cat([found[:, :8], found[:, 56:]], dim=1).reshape(3, -1).T
    assert (beside == torch.tensor(PADDING, dtype=torch.uint8)).all()
    encoder = load_encoder(SPEC)
    seen = []
    encoder._run_batch = lambda x: seen.append(x) or [x.mean((2, 3))]
    encoder(found[None])
    assert seen[0][0][:, :8].abs().max() < 0.01


def run(paths, encoder, *, threads=1, batch_size=4):
    with Pipeline(threads, encoder.device) as pipeline:
        opened = lambda path: open_slide(path)  # noqa: E731
        done = list(extract(paths, encoder, pipeline, opened=opened, fit="stretch", batch_size=batch_size))
    assert [path for path, _, _ in done] == paths
    return done


@pytest.fixture
def paths(tmp_path):
    made = [tmp_path / f"{k}.png" for k in range(7)]
    for k, path in enumerate(made):
        Image.fromarray(noise(50 + 10 * k, 70, k)).save(path)
    return made


def test_features_are_the_networks_own_and_do_not_depend_on_other_images_or_threads(paths):
    encoder = load_encoder(SPEC)
    together = run(paths, encoder, threads=2)
    for path, features, (width, height, mpp) in together:
        with open_slide(path) as slide:
            assert (slide.width, slide.height, slide.mpp) == (width, height, mpp)
            alone = encoder(square(slide, 64, "stretch")[None]).numpy()
        assert features.dtype == np.float16
        np.testing.assert_allclose(features, alone, rtol=2e-3, atol=2e-3)
    for some in (paths[2:3], paths[::-1], paths[1:6]):
        for path, features, _ in run(some, encoder):
            (same,) = (row for other, row, _ in together if other == path)
            np.testing.assert_array_equal(features, same)  # to the last bit


def test_an_image_that_cannot_be_read_stops_no_other(paths):
    paths[3].write_bytes(b"no picture")
    done = run(paths, load_encoder(SPEC))
    assert [isinstance(seen, SlideError) for _, _, seen in done] == [k == 3 for k in range(7)]
    assert done[3][1] is None
