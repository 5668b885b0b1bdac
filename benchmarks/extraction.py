"""Patchwise extraction against the bare network: what reading, resizing and writing cost.

Both sides run in one process, in turn: the whole extraction of a slide (open, read, resize, normalise, network,
float16, compressed HDF5), start-up left out, and the same network on tensors that lie ready in memory, as many
patches in the same batches. The goal is held against the network as torch runs it by default; a second, stricter ratio
is to the fastest of three ways to run it. The slide is a pyramid made of a real one where ../shared/data is there,
otherwise of the synthetic demo.
"""

import argparse
import copy
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torchvision

from slidecaf import store
from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.encoders.encoder import load_encoder
from slidecaf.encoders.weights import draw_weights
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


def bare_networks(threads):
    """Return name to (network, memory format, networks side by side), up to the layer and on ready tensors.

    As torch runs it by default, and in the two ways that are faster on CPUs, so that the limit is a fair one.
    """
    model = torchvision.models.alexnet(weights=None).eval()
    draw_weights(model, 0)
    cut = torch.nn.Sequential(model.features, model.avgpool, torch.nn.Flatten(), model.classifier[:6])
    last = copy.deepcopy(cut).to(memory_format=torch.channels_last)
    return {
        "default": (cut, torch.contiguous_format, 1),
        "channels last": (last, torch.channels_last, 1),
        "channels last, a core a batch": (last, torch.channels_last, threads),
    }


def bare(network, batches, threads):
    """Return the patches a second of a network alone."""
    network, memory_format, side_by_side = network
    batches = [batch.contiguous(memory_format=memory_format) for batch in batches]
    torch.set_num_threads(threads // side_by_side)
    start = time.perf_counter()
    with ThreadPoolExecutor(side_by_side) as pool:
        list(pool.map(torch.inference_mode()(network), batches))
    return sum(map(len, batches)) / (time.perf_counter() - start)


def whole(path, tiling, encoder, folder, options):
    """Return the patches a second of the rule without start-up: open, extract, write."""
    start = time.perf_counter()
    with (
        open_slide(path) as slide,
        store.write_features(
            folder / "features.h5", options["coords"], encoder.dimension, coords_attributes={}, attributes={}
        ) as writer,
    ):
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
    parser.add_argument("--side", type=int, default=6500, help="px a side of the slide")
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
        batches = [torch.randn(size, 3, 224, 224) for size in sizes]
        networks = bare_networks(arguments.threads)
        print(
            f"AlexNet classifier.5, {len(coords)} patches of 336 px, slide of {arguments.side} px made of {source}, "
            f"{arguments.threads} threads"
        )
        whole(path, tiling, encoder, folder, options)  # not counted: caches are filled
        ratios, strict = [], []
        for repeat in range(arguments.repeats):
            limits = {name: bare(network, batches, arguments.threads) for name, network in networks.items()}
            ours = whole(path, tiling, encoder, folder, options)
            ratios.append(ours / limits["default"])
            strict.append(ours / max(limits.values()))
            said = ", ".join(f"{rate:.0f} ({name})" for name, rate in limits.items())
            print(f"run {repeat + 1}: {ours:.0f} patches a second; bare {said}", flush=True)
    print(f"ratio to the bare network: {spread(ratios)}; goal {GOAL}")
    print(f"ratio to the bare network in its fastest way: {spread(strict)}")
    return statistics.median(ratios) < GOAL


def spread(values):
    """Return median and range as text."""
    return f"{statistics.median(values):.3f} (from {min(values):.3f} to {max(values):.3f})"


sys.exit(main())
