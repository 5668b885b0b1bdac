"""Every place of a map at several scales, from images to the rows of a shard."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from slidecaf.features.extraction.places import sizes
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.rows import each_rows
from slidecaf.features.shards import read_shard
from slidecaf.features.whole import extract_shard
from slidecaf.slides import open_slide
from tests.unit.batch_jobs import LIMITS, broken, of, picture

SPEC = {"model": "squeezenet1_0", "layer": "features.3", "weights": "random:0", "input_size": 64, "map": "places"}
MANIFEST, SHARD = "results/features/places/shard-0.tsv", "results/features/places/shard-0.h5"


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return {
        slide: picture(f"{slide}.png", np.random.default_rng(k).integers(0, 256, (64, 64 + 40 * k, 3), np.uint8))
        for k, slide in enumerate("abc")
    }


def job(paths, *, fit="stretch", on_bad_slide="fail", threads=2, **encoder):
    extract_shard(
        MANIFEST,
        {slide: {"digest": slide, "mpp": None, "scene": ""} for slide in paths},
        {
            **of("features", features={"tiling": "whole", "encoder": {**SPEC, **encoder}, "image": {"fit": fit}}),
            "weights": "",
        },
        paths=paths,
        limits=LIMITS,
        on_bad_slide=on_bad_slide,
        threads=threads,
    )
    return dict(each_rows(dict.fromkeys(paths, SHARD), paths))


def test_rows_are_the_maps_places_of_length_1_with_scale_and_box(paths):
    found = job(paths, scales=[0.5, 1, 2])
    encoder = load_encoder(SPEC)
    with open_slide(paths["a"]) as slide:
        image = torch.from_numpy(slide.read(0, 0, 64, 64)).permute(2, 0, 1)[None]
    expected = encoder.places(image)[0].numpy()  # at scale 1 nothing is resized
    expected = expected / np.linalg.norm(expected, axis=2, keepdims=True)
    rows, columns, _ = expected.shape
    one = found["a"].scales == 1
    np.testing.assert_allclose(found["a"].vectors[one], expected.reshape(rows * columns, -1), atol=1e-3)
    x, y = found["a"].boxes[one, :2].T
    np.testing.assert_allclose(x, np.tile(np.arange(columns) * 64 / columns, rows), rtol=1e-6)
    np.testing.assert_allclose(y, np.repeat(np.arange(rows) * 64 / rows, columns), rtol=1e-6)
    for image in found.values():
        assert set(image.scales.tolist()) == {0.5, 1, 2}
        assert np.all(np.diff(image.scales) >= 0)
        for scale in (0.5, 1, 2):  # the boxes of a scale cover the image
            area = image.boxes[image.scales == scale, 2:].prod(1).sum()
            np.testing.assert_allclose(area, image.size[0] * image.size[1], rtol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(image.vectors.astype(float), axis=1), 1, atol=2e-3)
    assert not list(Path("results/features/places").glob(".places*"))


def test_rows_depend_on_no_other_image_and_on_no_thread(paths):
    one = job(paths, scales=[0.5, 1])["b"].vectors
    before = Path(SHARD).read_bytes()
    Path(SHARD).unlink()
    job(paths, scales=[0.5, 1], threads=1)
    assert Path(SHARD).read_bytes() == before
    Path(SHARD).unlink()
    np.testing.assert_array_equal(job({"b": paths["b"]}, scales=[0.5, 1])["b"].vectors, one)
    job(paths, scales=[0.5, 1])  # one is kept, the others are added
    assert Path(SHARD).read_bytes() == before


def test_an_image_that_keeps_its_shape_loses_scales_with_a_side_below_32_px(paths):
    found = job(paths, fit="pad", scales=[0.5, 1, 2])
    assert set(found["a"].scales.tolist()) == {0.5, 1, 2}
    assert set(found["c"].scales.tolist()) == {2}  # 144 x 64 px: 128 x 57 px at scale 2, 64 x 28 px at scale 1
    assert sizes(144, 64, 64, [0.5, 1, 2], "pad") == [(2, 128, 57)]


def test_an_unreadable_image_has_no_row_and_is_kept_apart(paths, caplog):
    broken(paths["b"])
    found = job(paths, scales=[1], on_bad_slide="exclude")
    assert (found["b"].status, len(found["b"].vectors)) == ("unreadable", 0)
    assert len(found["c"].vectors)
    # nothing fits 32 px
    thin = {"thin": picture("thin.png", np.zeros((8, 200, 3), np.uint8))}
    found = job(thin, fit="pad", scales=[1], on_bad_slide="exclude")
    assert found["thin"].status == "unreadable"
    assert "thin.png of 200 x 8 px has a side below 32 px at every scale" in caplog.text


def outputs_job(paths, encoder):
    extract_shard(
        MANIFEST,
        {slide: {"digest": slide, "mpp": None, "scene": ""} for slide in paths},
        {**of("features", features={"tiling": "whole", "encoder": encoder}), "weights": ""},
        paths=paths,
        limits=LIMITS,
        on_bad_slide="fail",
        threads=2,
    )
    return read_shard(SHARD)


def test_several_outputs_of_whole_images_are_those_of_runs_of_their_own(paths):
    base = {"model": "squeezenet1_0", "weights": "random:0", "input_size": 64}
    outputs = {"late": {"layer": "features.7", "map": "max"}, "early": {"layer": "features.3"}}
    several = {**base, "outputs": outputs}
    outputs_job(paths, several)
    found = {name: read_shard(SHARD, output=name) for name in outputs}
    before = Path(SHARD).read_bytes()
    Path(SHARD).unlink()
    outputs_job({"b": paths["b"]}, several)
    outputs_job(paths, several)  # adds to what is there
    assert Path(SHARD).read_bytes() == before
    for name, own in outputs.items():
        Path(SHARD).unlink()
        alone = outputs_job(paths, {**base, **own})
        for slide in paths:
            np.testing.assert_array_equal(found[name][slide].features, alone[slide].features)


def test_the_shard_of_several_outputs_says_each_layer(paths):
    import h5py

    outputs = {"a": {"layer": "features.3"}, "b": {"layer": "features.7"}}
    outputs_job(paths, {"model": "squeezenet1_0", "weights": "random:0", "input_size": 64, "outputs": outputs})
    with h5py.File(SHARD) as file:
        assert {name: one.attrs["layer"] for name, one in file["features"].items()} == {
            "a": "features.3",
            "b": "features.7",
        }
        assert "layer" not in file["features"].attrs
        assert json.loads(file["features"].attrs["config"])["encoder"]["outputs"]["b"]["layer"] == "features.7"
