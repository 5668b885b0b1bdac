"""What a study costs: seconds of each stage as a line through three sizes or more, and what many slides would take.

Every stage runs at growing sizes in this process, on real slides' pixels where they are there; a line is fitted, whose
slope and start are printed with the largest deviation from it. Larger studies are worked out from the slopes, not run.
The assumed slide is printed. On a GPU nothing was measured.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from dense import extract, make_slide
from rows import seconds

from slidecaf.features.file import open_features, valid_features, write_features
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.pooling.norms import Pooler
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.maps import confidence_map, confidences
from slidecaf.segmentation.solver.patch_models import fit_left_out
from slidecaf.slides import open_slide
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling

THREADS = os.cpu_count()
SLIDE = {"megapixels": 1000, "patches": 6000, "dense": 200_000}
"""A slide of 32,000 px a side, 40 % of it tissue: patches of 336 px, and dense ones of 112 px at stride 56 or so."""

TRAINING_ROWS, GROUPS, VALUES = 1000, 10, 4
"""Of the segmentation: patches to learn from in a slide, groups left out (`folds: 10`, each with 5 inner folds), C."""


def line(name, unit, sizes, taken):
    """Print and return the line through sizes and seconds."""
    slope, start = np.polyfit(sizes, taken, 1)
    off = np.abs(np.polyval((slope, start), sizes) - taken).max() / max(taken)
    print(f"{name}: {start:.3f} s + {slope:.3e} s a {unit}; sizes {sizes}, at most {off:.0%} off", flush=True)
    return max(slope, 0.0), max(start, 0.0)


def stored(folder, count, dimension):
    """Write a features file of random values, about half of them zero."""
    path = folder / f"{count}.h5"
    rows = np.maximum(np.random.default_rng(0).normal(0, 1, (count, dimension)), 0).astype(np.float16)
    with write_features(
        path, np.zeros((count, 2)), dimension, coords_attributes={}, attributes={"status": "ok"}
    ) as file:
        file.append(rows, np.ones(count, bool))
    return path


def pool(path):
    """Pool a features file as its rule does."""
    pooler = Pooler([3], source=str(path))
    with open_features(path) as file:
        for features in valid_features(file):
            pooler.add(features)
    return pooler.result()


def measure(folder):
    """Return name to (slope, start) of every stage."""
    found = {}
    starts = [seconds(lambda: subprocess.run([sys.executable, "-c", "import torch"], check=True)) for _ in range(3)]
    found["start-up"] = (statistics.median(starts), 0.0)
    print(f"start-up of a job that needs the network: {found['start-up'][0]:.1f} s")
    sides, taken = (600, 1200, 1800), []
    tiling = Tiling(patch_size=336, stride=252, edge="drop", white_above=200, mpp=None)
    for side in sides:
        path, _ = make_slide(folder, side)
        with open_slide(path) as slide:
            tile(slide, tiling)
            taken.append(seconds(lambda slide=slide: tile(slide, tiling)))
    found["tiles"] = line("tiles", "megapixel", [side**2 / 1e6 for side in sides], taken)

    alexnet = load_encoder({"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224})
    path, coords = make_slide(folder, 1024)
    sizes, taken = (128, 256, 512), []
    for size in (64, *sizes):  # the first fills caches
        chosen = coords[:size]
        taken.append(seconds(lambda c=chosen: extract(path, c, alexnet, folder, THREADS, how="patchwise")))
    found["patchwise"] = line("features, AlexNet patchwise", "patch", sizes, taken[1:])
    squeezenet = load_encoder({"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 224})
    counts, taken = [], []
    for side in (512, 512, 1024, 1536):
        path, coords = make_slide(folder, side)
        counts.append(len(coords))
        taken.append(seconds(lambda p=path, c=coords: extract(p, c, squeezenet, folder, THREADS, how="dense")))
    found["dense"] = line("features, SqueezeNet dense at stride 8", "patch", counts[1:], taken[1:])

    sizes, pooled, mapped = (2000, 4000, 8000), [], []
    for size in sizes:
        path = stored(folder, size, 4096)
        pooled.append(seconds(lambda p=path: pool(p)))
        side = int(size**0.5)
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2) * 8
        cells = Cells.of_patches(grid, 112, side * 8 + 104, side * 8 + 104, stride=8)
        coef = np.zeros((24, 4096))

        def maps(path=path, grid=grid, cells=cells, coef=coef):
            with open_features(path) as file:
                for values in confidences(file, coef, np.zeros(24)):
                    confidence_map(cells, grid, 112, values[: len(grid)])

        mapped.append(seconds(maps))
    found["pooling"] = line("pooling, 4,096 values", "patch", sizes, pooled)
    found["maps"] = line("maps, 4,096 values, 24 models", "patch", sizes, mapped)

    rng = np.random.default_rng(0)
    sizes, taken = (4000, 8000, 16000), []
    for size in sizes:
        matrix = np.maximum(rng.normal(0, 1, (size, 512)), 0).astype(np.float16)
        labels = matrix[:, :8].sum(axis=1) + rng.normal(0, 1, size) > 3.2
        weights = [(np.arange(size) % 12 != k).astype(np.float32) for k in range(12)]
        taken.append(
            seconds(lambda m=matrix, y=labels, w=weights: fit_left_out(m, y, w, [0.001, 0.1], threads=THREADS))
        )
    found["svm"] = line("left-out SVMs, 512 values, 12 sets of rows x 2 C", "row", sizes, taken)
    return found


def main():
    """Measure, fit, extrapolate."""
    with tempfile.TemporaryDirectory() as folder:
        cost = measure(Path(folder))
    slide = {
        "tiles": cost["tiles"][0] * SLIDE["megapixels"],
        "features, patchwise": cost["start-up"][0] + cost["patchwise"][0] * SLIDE["patches"],
        "pooling": cost["pooling"][0] * SLIDE["patches"],
        "features, dense": cost["start-up"][0] + cost["dense"][0] * SLIDE["dense"],
        "maps": cost["maps"][0] * SLIDE["dense"],
    }
    models = GROUPS * 6 * VALUES
    row = cost["svm"][0] / 24 * models * TRAINING_ROWS
    print(f"\na slide: {SLIDE}")
    print("hours on this machine for slides | 100 | 10,000 | 100,000")
    for name, taken in slide.items():
        print(f"{name} | " + " | ".join(f"{taken * slides / 3600:.3g}" for slides in (100, 10_000, 100_000)))
    name = f"left-out SVMs, {TRAINING_ROWS} rows a slide, {models} models"
    print(f"{name} | " + " | ".join(f"{row * slides / 3600:.3g}" for slides in (100, 10_000, 100_000)))


main()
