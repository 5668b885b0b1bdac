"""A small segmentation: features, labels and maps of six slides of four patients, made up."""

import numpy as np
import pytest

from slidecaf.features.file import write_features
from slidecaf.files.tables import write_tsv
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import count_masks, patch_labels, write_labels
from slidecaf.segmentation.maps import write_maps
from slidecaf.segmentation.parts import problems_of
from slidecaf.tiles.file import write_tiles

SIDE, SIZE, STRIDE = 64, 16, 8


class Study:
    """Files by slide, and the table of folds; slide f could not be read."""

    C = (0.01, 1.0)
    parts = ("fold-0", "fold-1", "fold-2", "final")

    def __init__(self, folder):
        self.folder, self.folds = folder, folder / "folds.tsv"
        self.rows = [
            {"slide": slide, "patient": f"p{fold}", "fold": fold}
            for slide, fold in zip("abcdef", "012012", strict=True)
        ]
        write_tsv(self.folds, ["slide", "patient", "fold"], self.rows)
        self.features, self.labels, self.tiles, self.maps = {}, {}, {}, {}
        self.masks, self.read = {}, {}
        self.listed = problems_of(self.rows, 2, seed=0)
        for number, slide in enumerate("abcdef"):
            self._write(slide, np.random.default_rng(number), readable=slide != "f")

    def _write(self, slide, rng, *, readable):
        kinds = ("features", "labels", "tiles", "maps")
        features, labels, tiles, maps = (self.folder / f"{kind}-{slide}.h5" for kind in kinds)
        self.features[slide], self.labels[slide], self.tiles[slide], self.maps[slide] = features, labels, tiles, maps
        starts = range(0, SIDE - SIZE + 1, STRIDE) if readable else ()
        coords = np.array([(x, y) for y in starts for x in starts], np.int64).reshape(-1, 2)
        sides = {"patch_size_level0": SIZE, "stride": STRIDE, "stride_level0": float(STRIDE)}
        sides |= {"level0_width": SIDE, "level0_height": SIDE} if readable else {}
        status = "ok" if readable else "unreadable"
        write_tiles(tiles, coords, sides if readable else {})
        attributes = {"status": status, "weights_sha256": "0" * 64}
        truth = wanted = None
        if readable:
            cells = Cells.of_patches(coords, SIZE, SIDE, SIDE)
            mask = self.masks[slide] = np.kron(rng.random((4, 4)) < 0.5, np.ones((16, 16), bool))
            truth = count_masks(cells, [mask])
            wanted = patch_labels(truth, coords, SIZE)
        values = rng.gamma(2, size=(len(coords), 5))
        if readable:
            values[:, 0] += 2 * wanted
        with write_features(features, coords, 5, coords_attributes=sides, attributes=attributes) as writer:
            writer.append(values.astype(np.float16), np.ones(len(coords), bool))
        write_labels(labels, truth, wanted if readable else np.zeros(0, bool), status=status)
        made = []
        for part in self.mapped_by(slide) if readable else ():
            share = truth.necrosis / truth.cells.areas
            grids = [(share - 0.5 + rng.normal(0, noise, share.shape)).astype(np.float32) for noise in (0.8, 0.4)]
            self.read |= {(slide, part, C): values for C, values in zip(self.C, grids, strict=True)}
            made.append((part, list(self.C), grids))
        write_maps(maps, made, status=status)

    def mapped_by(self, slide):
        """The parts whose models map a slide."""
        return sorted({problem.part for problem in self.listed if slide in problem.mapped})


@pytest.fixture
def files(tmp_path):
    return Study(tmp_path)


@pytest.fixture
def made_twice(tmp_path):
    """Call what writes into a folder twice: every file comes out equal byte for byte."""

    def call(write):
        folders = [tmp_path / "made", tmp_path / "again"]
        for folder in folders:
            write(folder)
        one, other = (
            {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
            for folder in folders
        )
        assert one == other
        assert one
        return folders[0]

    return call
