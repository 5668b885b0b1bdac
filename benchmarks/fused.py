"""A test row predicted without a features file: the same map as through the file, and what a large slide takes.

By default a slide of 4,000 px; `--side 40000` is the size that whole slides have. The slide is synthetic, the weights
are random. Prints seconds, peak memory of the process, and what a features file would have taken.
"""

import argparse
import os
import resource
import tempfile
from pathlib import Path

import numpy as np
from rows import Row, report, seconds

from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.features.extraction.slide import Extraction
from slidecaf.features.file import open_features, write_features
from slidecaf.features.source import Source
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.maps import ConfidenceWriter, confidence_map, confidences
from slidecaf.slides import open_slide
from slidecaf.tiles.grid import attributes, tile
from slidecaf.tiles.tiling import Tiling

SETTINGS = {
    "encoder": {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 112},
    "extraction": "dense",
    "batch_size": 32,
}
DIMENSION, COMPARED = 512, 1500
PATCH, STRIDE = 112, 16


def make_slide(folder, side):
    """Write a synthetic slide of `side` px, the demo's repeated; row by row, so that it need not fit memory."""
    import tifffile

    pixels = draw_slide(SLIDES[0])[0]
    if side <= 4000:
        times = -(-side // min(pixels.shape[:2]))
        write_slide(folder / "slide.tiff", np.ascontiguousarray(np.tile(pixels, (times, times, 1))[:side, :side]))
        return folder / "slide.tiff"
    size = 512
    tiles = pixels[: pixels.shape[0] // size * size, : pixels.shape[1] // size * size]
    rows, columns = tiles.shape[0] // size, tiles.shape[1] // size

    def squares():
        for y in range(-(-side // size)):
            for x in range(-(-side // size)):
                top, left = y % rows * size, x % columns * size
                yield np.ascontiguousarray(tiles[top : top + size, left : left + size])

    options = {"tile": (size, size), "photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 90}}
    tifffile.imwrite(folder / "slide.tiff", squares(), shape=(side, side, 3), dtype=np.uint8, bigtiff=True, **options)
    return folder / "slide.tiff"


def prepare(path):
    """Return a slide's patches, the attributes of its tiles file, and its cells."""
    tiling = Tiling(patch_size=PATCH, stride=STRIDE, edge="cover", white_above=None, mpp=None)
    with open_slide(path) as slide:
        patches = tile(slide, tiling)
        described, size = attributes(slide, patches), (slide.width, slide.height)
    return patches.coords, described, Cells.of_patches(patches.coords, PATCH, *size, stride=STRIDE)


def predict(path, coords, described, writer, threads):
    """Run the network over the slide."""
    with Extraction(SETTINGS, "fp32", threads=threads, max_unreadable=0) as extraction:
        extraction.extract(Source("slide", path, None, "", coords, described), writer)


def main():
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4000, help="px of the large slide")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    coef, intercept = rng.normal(0, 0.1, (1, DIMENSION)), np.zeros(1)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        path = make_slide(folder, arguments.side)
        coords, described, cells = prepare(path)
        writer = ConfidenceWriter(len(coords), coef, intercept)
        taken = seconds(lambda: predict(path, coords, described, writer, arguments.threads))
        values = []
        mapping = seconds(lambda: values.append(confidence_map(cells, coords, PATCH, writer.values[0])))
        used = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"{arguments.side} px a side, {len(coords)} patches at stride {STRIDE}: network and SVM {taken:.0f} s, map "
            f"{mapping:.1f} s, peak {used / 2**30:.2f} GiB; its features would be "
            f"{2 * DIMENSION * len(coords) / 2**30:.1f} GiB before compression"
        )
        path = make_slide(folder, COMPARED)
        coords, described, cells = prepare(path)
        writer = ConfidenceWriter(len(coords), coef, intercept)
        predict(path, coords, described, writer, arguments.threads)
        with write_features(folder / "f.h5", coords, DIMENSION, coords_attributes={}, attributes={}) as file:
            predict(path, coords, described, file, arguments.threads)
        with open_features(folder / "f.h5") as file:
            through = confidence_map(cells, coords, PATCH, confidences(file, coef, intercept)[0])
        apart = np.nanmax(np.abs(confidence_map(cells, coords, PATCH, writer.values[0]) - through))
        scale = float(np.nanstd(through))
    against = "the map through a features file, largest difference"
    report(
        Row(
            "fused prediction, the map", against, [float(apart)], 1e-3, at_least=False, unit=f"(deviation {scale:.2g})"
        ),
        Row("fused prediction, peak memory", f"a slide of {arguments.side} px", [used / 2**30], unit="GiB"),
    )


main()
