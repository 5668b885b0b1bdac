"""A study with random features: no network made them, and no slide is behind them."""

from functools import partial

import numpy as np
import pytest

from slidecaf.exchange.export import extracted_slides
from slidecaf.features.file import write_features
from slidecaf.study.checked import Study
from slidecaf.study.config import check_config
from slidecaf.study.sheets import Row

SLIDES = {"a-1": ("p1", "GBM", "train"), "a-2": ("p2", "LGG", "train"), "a-3": ("p3", "", "test")}
DIMENSION = 12


def tiles(name, mpp=0.5, scale=2):
    """Attributes of patches of 256 px, read at twice level 0's micrometres a pixel."""
    return {
        "patch_size": 256,
        "patch_size_level0": 256 * scale,
        "stride": 192,
        "stride_level0": 192.0 * scale,
        "overlap": 64,
        "level0_width": 5000,
        "level0_height": 4000,
        "level0_mpp": mpp,
        "level0_magnification": 10 / mpp,
        "target_magnification": 10 / mpp / scale,
        "patch_level": 1,
        "downsample": (2.0, 2.0),
        "downsampled_level_dim": (2500, 2000),
        "level_dim": (2500, 2000),
        "name": name,
        "savetodir": "results/tiles/cnn",
        "status": "ok",
    }


def _write(folder, name, *, count=5, invalid=(), status="ok", seed=0, **changed):
    rng = np.random.default_rng([seed, *name.encode()])
    features = rng.random((count, DIMENSION)).astype(np.float16)
    valid = ~np.isin(np.arange(count), invalid)
    coords = np.stack([384 * np.arange(count), np.full(count, 384)], axis=1)
    path = folder / f"results/features/cnn/{name}.h5"
    said = {"encoder": "alexnet", "weights_sha256": "0" * 64, "status": status}
    described = tiles(name, **changed)
    with write_features(path, coords, DIMENSION, coords_attributes=described, attributes=said) as writer:
        writer.append(features, valid)
    return features, coords, valid


@pytest.fixture
def write(tmp_path):
    """Write the features file of a slide; arguments change what it holds."""
    return partial(_write, tmp_path)


@pytest.fixture
def study():
    rows = [
        Row(number, slide, f"{slide}.svs", patient, split, None, None, label=label)
        for number, (slide, (patient, label, split)) in enumerate(SLIDES.items(), start=2)
    ]
    # the segmentation lists the first slide too, without a label
    masked = [Row(2, "a-1", "a-1.svs", "p1", "train", None, None, mask="m.png")]
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    config = check_config({"features": {"cnn": {"tiling": {"patch_size": 336, "overlap": 0.25}, "encoder": encoder}}})
    return Study(config, rows, masked, ["LGG", "GBM"])


@pytest.fixture
def written(tmp_path):
    """Slide to features, coords and which are valid, as they were written; the second slide has an unreadable patch."""
    return {slide: _write(tmp_path, slide, invalid=[2] if slide == "a-2" else []) for slide in SLIDES}


@pytest.fixture
def slides(study, tmp_path, written):
    return extracted_slides(study, tmp_path, "cnn")[0]
