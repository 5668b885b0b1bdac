"""Features of a batch of slides."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from slidecaf.errors import SlidecafError
from slidecaf.features.batch import extract_slides
from slidecaf.features.describe import describe_encoder
from slidecaf.features.extraction.patchwise import resize
from slidecaf.features.file import open_features
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.tiles.batch import tile_slides
from tests.unit.batch_jobs import LIMITS, broken, done_twice, of, picture

SPEC = {"model": "squeezenet1_0", "layer": "features.2", "weights": "random:0", "input_size": 32}
TILING = {"patch_size": 32, "stride": 32}
MANIFEST = "results/features/cnn/batch-1.tsv"


@pytest.fixture
def slides(tmp_path, monkeypatch):
    """Slides of 64 x 32 px, whose first patch is noise and whose second is grey; their network is described."""
    monkeypatch.chdir(tmp_path)
    describe_encoder("results/encoders/cnn.json", SPEC, precision="fp32")
    made = {}
    for number, slide in enumerate("ab"):
        pixels = np.full((32, 64, 3), 128, np.uint8)
        pixels[:, :32] = np.random.default_rng(number).integers(0, 256, (32, 32, 3))
        made[slide] = pixels
    return made


def job(paths, on_bad_slide="fail", encoder="results/encoders/cnn.json", weights=""):
    own = {slide: {"digest": slide, "mpp": None, "scene": ""} for slide in paths}
    options = {"paths": paths, "limits": LIMITS, "on_bad_slide": on_bad_slide}
    tile_slides("results/tiles/cnn/batch-1.tsv", own, of("tiles", tiling=TILING), **options)
    extract_slides(
        MANIFEST,
        own,
        {**of("features", features={"tiling": TILING, "encoder": SPEC}), "weights": weights},
        tiles="results/tiles/cnn/batch-1.tsv",
        encoder=encoder,
        max_unreadable=0.0,
        threads=1,
        **options,
    )


def test_features_are_the_networks_own_and_say_where_they_come_from(slides):
    paths = {slide: picture(f"{slide}.png", pixels) for slide, pixels in slides.items()}
    assert done_twice(lambda: job(paths), MANIFEST) == ["a", "b"]
    encoder = load_encoder(SPEC)
    for slide, pixels in slides.items():
        with open_features(f"results/features/cnn/{slide}.h5") as file:
            assert file["coords"][:].tolist() == [[0, 0], [32, 0]]
            assert file["valid"][:].all()
            said = dict(file["features"].attrs)
            found = file["features"][:]
        patches = np.stack([pixels[:, :32], pixels[:, 32:]])
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(patches).permute(0, 3, 1, 2)).numpy()
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)
        assert (said["encoder"], said["layer"], said["status"]) == ("squeezenet1_0", "features.2", "ok")
        assert said["weights_sha256"] == encoder.sha256
        assert json.loads(said["config"])["encoder"]["weights"] == "random:0"


def test_a_job_that_looks_at_its_network_itself_makes_the_same_and_says_the_same_of_it(slides):
    paths = {slide: picture(f"{slide}.png", pixels) for slide, pixels in slides.items()}
    job(paths)
    made = {path: path.stat() for path in Path("results/features/cnn").glob("*.h5")}
    job(paths, encoder=None)
    assert {path: path.stat() for path in made} == made  # nothing was made anew
    for path in made:
        path.unlink()
    before = Path(MANIFEST).read_bytes()
    job(paths, encoder=None)
    assert Path(MANIFEST).read_bytes() == before
    described = Path("results/encoders/cnn.json").read_bytes()
    describe_encoder("again.json", SPEC, precision="fp32", features=MANIFEST)
    assert Path("again.json").read_bytes() == described


def test_another_digest_of_a_weights_file_makes_no_slide_anew_where_the_tensors_in_use_are_the_same(slides):
    paths = {slide: picture(f"{slide}.png", pixels) for slide, pixels in slides.items()}
    job(paths, weights="one")
    made = {path: path.stat() for path in Path("results/features/cnn").glob("*.h5")}
    job(paths, weights="other")
    assert {path: path.stat() for path in made} == made


TIMM = {"model": "timm/vit_small_patch14_dinov2", "layer": "class+mean", "weights": "random:0", "input_size": "own"}
TIMM |= {"model_args": {"img_size": 28, "depth": 1}, "mean": [0.7, 0.6, 0.7], "std": [0.2, 0.25, 0.2]}


def test_features_of_timms_networks_say_what_the_weights_say_of_their_images(slides, monkeypatch):
    for key in list(SPEC):
        monkeypatch.delitem(SPEC, key)
    for key, value in TIMM.items():
        monkeypatch.setitem(SPEC, key, value)
    paths = {slide: picture(f"{slide}.png", pixels) for slide, pixels in slides.items()}
    job(paths, encoder=None)
    encoder = load_encoder(TIMM)
    for slide, pixels in slides.items():
        with open_features(f"results/features/cnn/{slide}.h5") as file:
            said, found = dict(file["features"].attrs), file["features"][:]
        x = resize(torch.from_numpy(np.stack([pixels[:, :32], pixels[:, 32:]])).permute(0, 3, 1, 2), 28)
        np.testing.assert_allclose(found, encoder(x).numpy(), rtol=2e-3, atol=2e-3)
        assert (said["encoder"], said["layer"], said["input_size"]) == (TIMM["model"], "class+mean", 28)
        assert (said["mean"].tolist(), said["std"].tolist()) == (TIMM["mean"], TIMM["std"])
    describe_encoder("after.json", TIMM, precision="fp32", features=MANIFEST)
    describe_encoder("before.json", TIMM, precision="fp32")
    assert Path("after.json").read_bytes() == Path("before.json").read_bytes()
    made = {path: path.stat() for path in Path("results/features/cnn").glob("*.h5")}
    job(paths, encoder="before.json")
    assert {path: path.stat() for path in made} == made  # the same, whoever describes it


def test_a_network_that_cannot_be_had_is_said_before_any_slide(slides, monkeypatch):
    paths = {slide: picture(f"{slide}.png", pixels) for slide, pixels in slides.items()}
    monkeypatch.setitem(SPEC, "layer", "feature")
    with pytest.raises(SlidecafError, match="SqueezeNet has no 'feature'; near names: features"):
        job(paths, encoder=None)
    assert not Path("results/features").exists()


def test_a_slide_that_cannot_be_read_fails_or_has_no_patches(slides):
    paths = {"a": picture("a.png", slides["a"]), "bad": broken("bad.png")}
    with pytest.raises(SlidecafError, match=r"failed \(bad\)"):
        job(paths)
    job(paths, "exclude")
    with open_features("results/features/cnn/bad.h5") as file:
        assert file["features"].attrs["status"] == "unreadable"
        assert len(file["features"]) == len(file["coords"]) == 0
    with open_features("results/features/cnn/a.h5") as file:
        assert len(file["features"]) == 2


def test_a_slide_that_is_damaged_after_its_tiles_were_found_is_left_out(slides):
    paths = {slide: picture(f"{slide}.png", pixels) for slide, pixels in slides.items()}
    own = {slide: {"digest": slide, "mpp": None, "scene": ""} for slide in paths}
    options = {"paths": paths, "limits": LIMITS, "on_bad_slide": "exclude"}
    tile_slides("results/tiles/cnn/batch-1.tsv", own, of("tiles", tiling=TILING), **options)
    broken("b.png")
    job(paths, "exclude")
    with open_features("results/features/cnn/b.h5") as file:
        assert file["features"].attrs["status"] == file["coords"].attrs["status"] == "unreadable"
        assert len(file["features"]) == 0
