"""Dense extraction against patchwise extraction of the same patches, and how far their features agree.

Both sides run in one process, in turn, each as its rule does without start-up: read, enlarge, network, float16. The
dense side takes every patch of a slide at stride 8, the patchwise side some of them, in whole grid rows, and is scaled
by the number of patches. The limit is the network's arithmetic: a patch of its own costs 224 x 224 px of it, one of a
dense map at stride 8 the 16 x 16 px that it adds, and the context around each block once.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torchvision
from rows import Row, report, seconds

from slidecaf.demo import SLIDES, draw_slide
from slidecaf.features.extraction import dense, patchwise
from slidecaf.features.file import write_features
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.slides import open_slide
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WEIGHTS = DATA / "weights" / "squeezenet1_0_imagenet.pth"
PATCH, STRIDE = 112, 8
CLAIMS = {  # model: (layer, weights, px a side of the dense side's part, patches of the other, repetitions, goal)
    "alexnet": ("classifier.5", "random:0", 1024, 256, 2, 9),
    "squeezenet1_0": ("features", str(WEIGHTS) if WEIGHTS.is_file() else "random:0", 2048, 256, 2, 100),
    "vgg16": ("classifier.4", "random:0", 1024, 32, 1, 50),
}
AGREEMENT = 1024
"""Px a side of the part whose features are held against each other."""


def make_slide(folder, side):
    """Write a part of a real slide, or of a synthetic one; return its path and patches."""
    real = DATA / "slides" / "cmu-1-small-region.svs"
    if real.is_file():
        with open_slide(real) as slide:
            pixels, source = slide.read(100, 800, side, side), real.name
    else:
        pixels, source = draw_slide(SLIDES[0])[0][:side, :side], "the synthetic demo"
    path = folder / "part.png"
    torchvision.io.write_png(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1), str(path))
    tiling = Tiling(patch_size=PATCH, stride=STRIDE, edge="cover", white_above=None, mpp=None)
    with open_slide(path) as slide:
        coords = tile(slide, tiling).coords
    print(f"{len(coords)} patches of {PATCH} px, stride {STRIDE}, of {source}")
    return path, coords


def extract(path, coords, encoder, folder, threads, *, how):
    """Extract some patches as the rule does; return their features."""
    target = folder / "features.h5"
    options = {"patch_size": PATCH, "threads": threads, "max_unreadable": 0, "advance": lambda count: None}
    with (
        open_slide(path) as slide,
        write_features(target, coords, encoder.dimension, coords_attributes={}, attributes={}) as writer,
    ):
        if how == "dense":
            dense.extract(slide, coords, encoder, writer, stride=STRIDE, stride_level0=STRIDE, **options)
        else:
            patchwise.extract(slide, coords, encoder, writer, patch_size_level0=PATCH, batch_size=32, **options)
        return writer.features[:].astype(np.float64)


def speed(name, folder, arguments):
    """Return how many times as many patches a second the dense side does, a repetition."""
    layer, weights, side, count, repeats, _ = CLAIMS[name]
    path, coords = make_slide(folder, side)
    encoder = load_encoder({"model": name, "layer": layer, "weights": weights, "input_size": 224})
    few = coords[len(coords) // 2 :][:: max(1, len(coords) // 2 // count)][:count]
    ratios = []
    for repeat in range(repeats + 1):
        fast = seconds(lambda: extract(path, coords, encoder, folder, arguments.threads, how="dense"))
        slow = seconds(lambda: extract(path, few, encoder, folder, arguments.threads, how="patchwise"))
        rates = len(coords) / fast, len(few) / slow
        if repeat:  # the first fills caches
            ratios.append(rates[0] / rates[1])
            print(f"{name}: {rates[0]:.0f} patches a second dense, {rates[1]:.1f} patchwise", flush=True)
    return ratios


def agreement(weights, folder, threads):
    """Return the correlation of both sides' features, of patches away from the slide's border."""
    path, coords = make_slide(folder, AGREEMENT)
    inner = coords[((coords >= PATCH) & (coords + 2 * PATCH <= AGREEMENT)).all(axis=1) & (coords % 64 == 0).all(axis=1)]
    encoder = load_encoder({"model": "alexnet", "layer": "classifier.5", "weights": weights, "input_size": 224})
    sides = []
    for how in ("dense", "patchwise"):
        chosen = coords if how == "dense" else inner
        features = extract(path, chosen, encoder, folder, threads, how=how)
        if how == "dense":
            known = {tuple(place): row for row, place in enumerate(coords.tolist())}
            features = features[[known[tuple(place)] for place in inner.tolist()]]
        sides.append(features)
    return [float(np.corrcoef(*pair)[0, 1]) for pair in zip(*sides, strict=True)]


def main():
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--models", nargs="+", choices=CLAIMS, default=["alexnet", "squeezenet1_0"])
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in arguments.models:
            layer, weights, _, count, _, goal = CLAIMS[name]
            kind = "ImageNet weights" if weights.endswith("pth") else "random weights"
            ratios = speed(name, folder, arguments)
            against = f"patchwise extraction, {count} of the patches, scaled"
            rows.append(Row(f"dense extraction, {name} {layer}, {kind}", against, ratios, goal))
        if "alexnet" in arguments.models:
            torch.manual_seed(0)
            torch.save(torchvision.models.alexnet(weights=None).state_dict(), folder / "own.pth")
            for said, weights, goal in (
                ("torchvision's own random weights", str(folder / "own.pth"), 0.98),
                ("random:0 (He-normal)", "random:0", None),
            ):
                found = agreement(weights, folder, arguments.threads)
                stage = f"dense features, alexnet classifier.5, {said}"
                median = float(np.median(found))
                print(f"{stage}: of {len(found)} patches, 5 to 95 %: {np.percentile(found, [5, 95]).round(3)}")
                rows.append(Row(stage, "correlation with patchwise ones, interior patches", [median], goal, unit=""))
    report(*rows)


if __name__ == "__main__":
    sys.exit(main())
