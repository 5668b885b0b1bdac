"""The features file: its size, what writing it costs beside the network, and what reading a coarser grid touches.

Size and writing: AlexNet classifier.5 (random weights), patches of 224 px of a pyramid of a real slide where
../shared/data is there, otherwise of the synthetic demo. Extraction into a file is held against the same extraction
whose rows are thrown away, in turn. Reading: a file of a whole grid at stride 8 of a slide of 2,000 px, read by
`read_patch_rows` for patches every 32 px; touched chunks are those whose bytes are asked of the file.

The limit of writing is no time at all: workers go on computing while the calling thread compresses, and what is printed
as the time of writing alone would be lost without that. That of reading is the chunks that hold a wanted row.
"""

import argparse
import os
import tempfile
from pathlib import Path

import h5py
import numpy as np
from rows import Row, in_turn, report, seconds

from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.features.extraction import patchwise
from slidecaf.features.file import open_features, write_features
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.files.hdf5 import CHUNK_ROWS
from slidecaf.segmentation import rows
from slidecaf.slides import open_slide
from slidecaf.study.status import STATUS_OK
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling

ENCODER = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224}
TILING = Tiling(patch_size=224, stride=112, edge="drop", white_above=200)
STRIDE, TRAINING_STRIDE, SIDE, DIMENSION = 8, 32, 2000, 512
READ_ROWS = 4096


class Nowhere:
    """A writer that forgets what it is given."""

    def append(self, features, valid):
        """Do nothing."""


def make_slide(folder):
    """Write a pyramid; return its path and what it was made of."""
    real = Path(__file__).resolve().parents[2] / "shared" / "data" / "slides" / "cmu-1-small-region.svs"
    if real.is_file():
        with open_slide(real) as slide:
            pixels, source = slide.read(0, 0, slide.width, slide.height), real.name
    else:
        pixels, source = draw_slide(SLIDES[0])[0], "the synthetic demo"
    write_slide(folder / "slide.tiff", pixels)
    return folder / "slide.tiff", source


def extract(path, coords, encoder, writer, threads):
    """Run the rule's middle: read, resize, network, write."""
    with open_slide(path) as slide:
        patchwise.extract(
            slide,
            coords,
            encoder,
            writer,
            patch_size=TILING.patch_size,
            patch_size_level0=TILING.patch_size,
            batch_size=32,
            threads=threads,
            max_unreadable=0,
            advance=lambda count: None,
        )


def into_file(target, path, coords, encoder, threads):
    """Extract into a features file."""
    with write_features(target, coords, encoder.dimension, coords_attributes={}, attributes={}) as writer:
        extract(path, coords, encoder, writer, threads)


def writing(folder, patches, repeats, threads):
    """Return the rows of size and writing."""
    path, source = make_slide(folder)
    encoder = load_encoder(ENCODER)
    with open_slide(path) as slide:
        coords = tile(slide, TILING).coords[:patches]
    target = folder / "features.h5"
    slowdown = [
        1 / ratio
        for ratio in in_turn(
            lambda: into_file(target, path, coords, encoder, threads),
            lambda: extract(path, coords, encoder, Nowhere(), threads),
            repeats=repeats,
        )
    ]
    with open_features(target) as file:
        features, valid = file["features"][:], file["valid"][:]
        assert valid.all()
        assert features.shape == (len(coords), encoder.dimension)

    def write_alone():
        with write_features(folder / "again.h5", coords, encoder.dimension, coords_attributes={}, attributes={}) as w:
            w.append(features, valid)

    whole = seconds(lambda: into_file(target, path, coords, encoder, threads))
    print(
        f"{len(coords)} patches of {TILING.patch_size} px of {source}, {threads} threads: {whole:.2f} s; writing alone "
        f"{seconds(write_alone):.2f} s; {np.count_nonzero(features) / features.size:.1%} of the values are not 0"
    )
    size = target.stat().st_size / features.astype(np.float32).nbytes
    return [
        Row("size of a features file, AlexNet classifier.5", "float32 uncompressed", [size], 0.35, at_least=False),
        Row(
            "patchwise extraction into a features file",
            "the same, its rows thrown away",
            slowdown,
            1.1,
            at_least=False,
        ),
    ]


def make_grid(folder):
    """Write features and labels of a whole grid at the stride of prediction."""
    xs = np.arange(0, SIDE, STRIDE)
    coords = np.stack(np.meshgrid(xs, xs), axis=-1).reshape(-1, 2)
    generator = np.random.default_rng(0)
    attributes = {"stride": STRIDE, "stride_level0": float(STRIDE)}
    with write_features(
        folder / "grid.h5", coords, DIMENSION, coords_attributes=attributes, attributes={"status": STATUS_OK}
    ) as writer:
        for start in range(0, len(coords), 4096):
            rows = len(coords[start : start + 4096])
            features = generator.normal(size=(rows, DIMENSION)).clip(min=0).astype(np.float16)
            writer.append(features, np.ones(rows, bool))
    return coords, folder / "grid.h5"


class Chunks:
    """Counts the chunks of features that slices of them touch, while a block lasts."""

    def __init__(self):
        self.touched = set()
        self._get = h5py.Dataset.__getitem__

    def __enter__(self):
        get, touched = self._get, self.touched

        def counted(dataset, key):
            if dataset.name == "/features" and isinstance(key, slice):
                start, stop, _ = key.indices(len(dataset))
                touched.update(range(start // dataset.chunks[0], -(-stop // dataset.chunks[0])))
            elif dataset.name == "/features":
                raise AssertionError(f"features were read by {key!r}, which is not counted")
            return get(dataset, key)

        h5py.Dataset.__getitem__ = counted
        return self

    def __exit__(self, *error):
        h5py.Dataset.__getitem__ = self._get


def reading(folder, repeats):
    """Return the rows of reading every fourth row and column of a grid."""
    coords, path = make_grid(folder)
    wanted = np.flatnonzero((coords % TRAINING_STRIDE == 0).all(axis=1))
    labels = np.arange(len(coords)) % 2 == 0
    rows.read_patch_labels = lambda path, count: labels  # as if from a file

    def coarse():
        return rows.read_patch_rows({"s": path}, {"s": None}, training_stride=TRAINING_STRIDE)

    def everything():
        with open_features(path) as file:
            kept = np.empty((len(wanted), DIMENSION), np.float16)
            for start in range(0, len(coords), READ_ROWS):
                inside = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, start + READ_ROWS)]
                block = file["features"][start : start + READ_ROWS]
                kept[np.searchsorted(wanted, start) :][: len(inside)] = block[inside - start]
        return kept

    with Chunks() as chunks:
        read = coarse()
    np.testing.assert_array_equal(read.matrix, everything())
    grid_rows = set((np.flatnonzero(coords[:, 1] % TRAINING_STRIDE == 0) // CHUNK_ROWS).tolist())
    holding = set((wanted // CHUNK_ROWS).tolist())
    total = -(-len(coords) // CHUNK_ROWS)
    assert chunks.touched <= grid_rows, "chunks outside of the grid's rows were read"
    print(
        f"{len(coords)} patches at stride {STRIDE}, {len(wanted)} every {TRAINING_STRIDE} px: {len(chunks.touched)} of "
        f"{total} chunks read; {len(grid_rows)} hold rows of the grid, {len(holding)} a wanted patch"
    )
    return [
        Row(
            "chunks read for a training stride of 32 px of 8",
            "chunks of the grid's rows",
            [len(chunks.touched) / len(grid_rows)],
            1,
            at_least=False,
        ),
        Row("the same chunks", "all of the file", [len(chunks.touched) / total]),
        Row(
            "reading a training stride of 32 px of 8",
            "reading all of the file",
            in_turn(coarse, everything, repeats=repeats),
        ),
    ]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        rows = writing(folder, arguments.patches, arguments.repeats, arguments.threads)
        report(*rows, *reading(folder, arguments.repeats))


main()
