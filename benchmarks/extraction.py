"""Patchwise extraction against the bare network: what reading, resizing and writing cost.

Both sides run in one process, in turn: the whole extraction of a slide (read, resize, network, float16, compressed
HDF5), start-up left out, and the same network on tensors that lie ready in memory, as many patches in the same
batches. The bare network runs as torch runs it by default, all cores on one batch, and, for a fairer limit, as the
extraction does, one core a batch side by side; the ratio is to the faster. The slide is a pyramid drawn from a real
one where ../shared/data is there, otherwise from the synthetic demo.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from slidecaf import store
from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.encoders.encoder import load_encoder
from slidecaf.extraction import patchwise
from slidecaf.slides import open_slide
from slidecaf.tiling import Tiling, tile

GOAL = 0.75


def make_slide(folder, side):
    """Write a slide of `side` px a side; return its path and what it was made of."""
    real = Path(__file__).resolve().parents[2] / "shared" / "data" / "slides" / "cmu-1-small-region.svs"
    if real.is_file():
        with open_slide(real) as slide:
            pixels, source = slide.read(0, 0, slide.width, slide.height), real.name
    else:
        pixels, source = draw_slide(SLIDES[0])[0], "the synthetic demo"
    times = [-(-side // length) for length in pixels.shape[:2]]
    # mirrored copies, so that no seam repeats
    pixels = np.concatenate([np.concatenate([pixels, pixels[:, ::-1]], 1)] * (-(-times[1] // 2)), 1)
    pixels = np.concatenate([np.concatenate([pixels, pixels[::-1]], 0)] * (-(-times[0] // 2)), 0)
    path = folder / "slide.tiff"
    write_slide(path, np.ascontiguousarray(pixels[:side, :side]))
    return path, source


def bare(encoder, batches, threads):
    """Return the patches a second of the network alone, over threads batches at a time."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // threads))
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(encoder, batches))
    return sum(map(len, batches)) / (time.perf_counter() - start)


def whole(path, tiling, encoder, folder, options):
    """Return the patches a second of the rule without start-up: open, extract, write."""
    start = time.perf_counter()
    with open_slide(path) as slide:
        with store.write_features(
            folder / "features.h5", options["coords"], encoder.dimension, coords_attributes={}, attributes={}
        ) as writer:
            patchwise.extract(
                slide,
                options["coords"],
                encoder,
                writer,
                patch_size=tiling.patch_size,
                patch_size_level0=tiling.patch_size,
                batch_size=options["batch_size"],
                threads=options["threads"],
                max_unreadable=0,
                advance=lambda count: None,
            )
    return len(options["coords"]) / (time.perf_counter() - start)


def main():
    """Measure and print; exit 1 below the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4500, help="px a side of the slide")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()

    tiling = Tiling(patch_size=336, stride=252, edge="drop", white_above=200, mpp=None)
    encoder = load_encoder({"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224})
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        path, source = make_slide(folder, arguments.side)
        with open_slide(path) as slide:
            coords = tile(slide, tiling).coords
        options = {"coords": coords, "batch_size": arguments.batch_size, "threads": arguments.threads}
        sizes = [arguments.batch_size] * (len(coords) // arguments.batch_size)
        batches = [torch.randint(0, 256, (size, 3, 224, 224), dtype=torch.uint8) for size in sizes]
        encoder(batches[0])
        print(
            f"AlexNet, {len(coords)} patches of a slide of {arguments.side} px made of {source}, {arguments.threads} cores"
        )
        ratios = []
        for repeat in range(arguments.repeats):
            plain, side_by_side = bare(encoder, batches, 1), bare(encoder, batches, arguments.threads)
            ours = whole(path, tiling, encoder, folder, options)
            ratios.append(ours / max(plain, side_by_side))
            print(
                f"run {repeat + 1}: rule {ours:.0f}, bare network {plain:.0f} (default) and {side_by_side:.0f} "
                f"(side by side) patches a second; ratio {ratios[-1]:.3f}",
                flush=True,
            )
    median = statistics.median(ratios)
    print(f"ratio {median:.3f} (from {min(ratios):.3f} to {max(ratios):.3f}); goal {GOAL}")
    return median < GOAL


sys.exit(main())
