"""Patchwise extraction against the bare network: what reading, resizing and writing cost.

Both sides run in one process, in turn: the whole extraction of a slide (open, read, resize, normalise, network,
float16, compressed HDF5), start-up left out, and the same network on tensors that lie ready in memory, as many
patches in the same batches. The goal is held against the fastest of three ways to run the network: that is nearly the
same share on every CPU. How torch runs it by default is reported too; of VGG-16 that was 1.38 x on one CPU and 0.81 x
on another, since it is torch's own choice of layout and threads that differs.

The slide is a pyramid made of a real one where ../shared/data is there, otherwise of the synthetic demo.
"""

import argparse
import copy
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torchvision
from rows import Row, report

from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.features.extraction import patchwise
from slidecaf.features.file import write_features
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.networks.weights import draw_weights
from slidecaf.slides import open_slide
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling

CLAIMS = {  # model: (layer, px of the slide, repetitions, goal)
    "alexnet": ("classifier.5", 6500, 2, 0.7),
    "vgg16": ("classifier.4", 1700, 1, 0.6),
}
TOGETHER, COMMAND_GOAL = 1000, 0.65
"""Patches of the whole command, and its goal."""


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


def bare_networks(name, threads):
    """Return name to (network, memory format, networks side by side), up to the layer and on ready tensors.

    As torch runs it by default, and in the two ways that are faster on CPUs, so that the limit is a fair one.
    """
    model = getattr(torchvision.models, name)(weights=None).eval()
    draw_weights(model, 0)
    last = int(CLAIMS[name][0].partition(".")[2])
    cut = torch.nn.Sequential(model.features, model.avgpool, torch.nn.Flatten(), model.classifier[: last + 1])
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
        write_features(
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


def compare(name, folder, arguments):
    """Return the rows of one network."""
    layer, side, repeats, goal = CLAIMS[name]
    tiling = Tiling(patch_size=336, stride=252, edge="drop", white_above=200, mpp=None)
    spec = {"model": name, "layer": layer, "weights": "random:0", "input_size": 224}
    encoder = load_encoder(spec)
    path, source = make_slide(folder, side)
    with open_slide(path) as slide:
        coords = tile(slide, tiling).coords
    options = {"coords": coords, "batch_size": arguments.batch_size, "threads": arguments.threads}
    count = max(1, len(coords) // arguments.batch_size)
    batches = [torch.randn(arguments.batch_size, 3, 224, 224) for _ in range(count)]
    networks = bare_networks(name, arguments.threads)
    print(
        f"{name} {layer}, {len(coords)} patches of 336 px, slide of {side} px made of {source}, {arguments.threads} "
        "threads"
    )
    whole(path, tiling, encoder, folder, options)  # not counted: caches are filled
    ratios, strict, commands = [], [], []
    for repeat in range(repeats):
        limits = {name: bare(network, batches, arguments.threads) for name, network in networks.items()}
        ours = whole(path, tiling, encoder, folder, options)
        ratios.append(ours / limits["default"])
        strict.append(ours / max(limits.values()))
        if goal == CLAIMS["alexnet"][-1]:
            commands.append(command(path, coords, spec, folder, arguments) / limits["default"])
        said = ", ".join(f"{rate:.0f} ({name})" for name, rate in limits.items())
        print(f"run {repeat + 1}: {ours:.0f} patches a second; bare {said}", flush=True)
    stage = f"patchwise extraction, {name} {layer}, without start-up"
    rows = [
        Row(stage, "the bare network in the fastest of three ways", strict, goal),
        Row(stage, "the bare network as torch runs it by default", ratios),
    ]
    if commands:
        stage = f"the whole command with start-up, {name}, {TOGETHER} patches"
        rows.append(Row(stage, "the bare network as torch runs it by default", commands, COMMAND_GOAL))
    return rows


def command(path, coords, spec, folder, arguments):
    """Return the patches a second of a process of its own: imports, network, extraction, file.

    Its weights, random ones, come from a file as trained ones do: drawing them takes longer than reading them.
    """
    coords = np.resize(coords, (TOGETHER, 2))  # as often as needed, in the order of a tiles file
    np.save(folder / "coords.npy", coords[np.lexsort(coords.T)])
    weights = folder / f"{spec['model']}.pth"
    if not weights.exists():
        torch.save(load_encoder(spec).model.state_dict(), weights)
        os.sync()  # what is still to be written to the disk would slow down what is timed
    spec = {**spec, "weights": str(weights)}
    program = f"""
import numpy as np
from slidecaf.features.extraction.slide import Extraction
from slidecaf.features.file import write_features
from slidecaf.features.source import Source
coords = np.load({str(folder / "coords.npy")!r})
settings = dict(encoder={spec!r}, extraction="patchwise", batch_size={arguments.batch_size})
tiles = dict(patch_size=336, patch_size_level0=336)
source = Source("slide", {str(path)!r}, None, "", coords, tiles)
with (
    Extraction(settings, "fp32", threads={arguments.threads}, max_unreadable=0) as extraction,
    write_features({str(folder / "one.h5")!r}, coords, 4096, coords_attributes={{}}, attributes={{}}) as writer,
):
    extraction.extract(source, writer)
"""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return TOGETHER / (time.perf_counter() - start)


def main():
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--models", nargs="+", default=list(CLAIMS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(*(row for name in arguments.models for row in compare(name, Path(folder), arguments)))


main()
