"""A mini study whose methods of both tasks use features of another program: for tests of check and viewer."""

from pathlib import Path

import h5py
import numpy as np
import yaml

from slidecaf import demo

SIZE, SIDE = 400, 100
"""Px of a slide's and of a patch's side at level 0; patches count 50 px and stand side by side."""

COUNT, DIMENSION = (SIZE // SIDE) ** 2, 16
ENCODER = "random numbers"


def trident_file(path, **changed):
    """Write a file as TRIDENT does, with random features that no encoder made."""
    rng = np.random.default_rng([*path.stem.encode()])
    corners = SIDE * np.arange(SIZE // SIDE)
    said = {"patch_size": 50, "patch_size_level0": SIDE, "level0_magnification": 40, "target_magnification": 20}
    said |= {"overlap": 0, "level0_width": SIZE, "level0_height": SIZE, "name": path.stem}
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        features = rng.normal(size=(COUNT, changed.pop("dimension", DIMENSION))).astype(np.float32)
        encoder = changed.pop("encoder", ENCODER)
        file.create_dataset("features", data=features).attrs["encoder"] = encoder
        coords = np.stack(np.meshgrid(corners, corners), axis=-1).reshape(-1, 2) + changed.pop("shift", 0)
        file.create_dataset("coords", data=coords).attrs.update(said | changed)


def config():
    return {
        "threads": 1,
        "features": {"uni": {"kind": "imported", "format": "trident", "folder": "job/features_uni_v1"}},
        "classification": {
            "sheet": "classification.tsv",
            "positive": "GBM",
            "methods": {"svm-cnn": {"features": ["uni"], "norm": [1]}},
        },
        "segmentation": {
            "sheet": "segmentation.tsv",
            "methods": {
                "maps": {
                    "features": "uni",
                    "training_stride": 50,
                    "smooth": [0],
                    "hard_examples": {"stride": 50},
                }
            },
        },
    }


def make(folder):
    """Make the study, with a file of each slide."""
    folder = Path(folder)
    demo.make_mini(folder, patients=3, size=SIZE)
    for slide in (folder / "slides").iterdir():
        trident_file(folder / f"job/features_uni_v1/{slide.stem}.h5")
    (folder / "config.yaml").write_text(yaml.safe_dump(config()))
    return folder
