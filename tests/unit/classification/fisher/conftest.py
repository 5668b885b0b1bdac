"""Shards of the places of images of two classes."""

import numpy as np
import pytest

from slidecaf.features.shards import WholeImage, write_shard
from slidecaf.files.tables import write_tsv

SIDE, DIMENSION = 4, 8


def image(generator, label, **options):
    """An image of 4 x 4 places, a quarter of which show what its class has."""
    vectors = generator.normal(0, 0.3, (SIDE * SIDE, DIMENSION)) + 1
    vectors[:SIDE, 0 if label == "a" else 1] += 3
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    corners = [[64 * x, 64 * y, 64, 64] for y in range(SIDE) for x in range(SIDE)]
    return WholeImage(
        vectors.astype(np.float16),
        level0_width=64 * SIDE,
        level0_height=64 * SIDE,
        scale=np.ones(SIDE * SIDE, np.float32),
        box=np.array(corners, np.float32),
        **options,
    )


@pytest.fixture
def part(tmp_path):
    """A fold that holds six of 24 images out: its files, and what jobs are told of it."""
    return Part(tmp_path)


class Part:
    def __init__(self, folder, seed=0):
        self.folder = folder
        self.rows = [
            {"slide": f"{label}-{i:02}", "label": label, "patient": f"{label}-{i:02}"}
            for label in "ab"
            for i in range(12)
        ]
        self.held_out = {row["slide"] for row in self.rows if int(row["slide"][2:]) >= 9}
        folds = [{**row, "fold": 0 if row["slide"] in self.held_out else 1} for row in self.rows]
        self.folds = folder / "folds.tsv"
        write_tsv(
            self.folds,
            ["slide", "patient", "fold"],
            [{k: row[k] for k in ("slide", "patient", "fold")} for row in folds],
        )
        self.write(lambda slide, one: one)

    def write(self, change):
        generator, images = np.random.default_rng(0), {}
        for row in self.rows:
            images[row["slide"]] = change(row["slide"], image(generator, row["label"]))
        write_shard(self.folder / "shard-0.h5", images, {"encoder": "mine"})
        self.features = {"places": dict.fromkeys(images, self.folder / "shard-0.h5")}
