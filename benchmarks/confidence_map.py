"""Confidence maps by box sums against adding each patch's score to its pixels.

Both sides make the same map of every pixel of a synthetic slide (drawn scores, patches of 112 px at stride 8; nothing
but their places matters) in memory that lies ready: ours sums on cells and then draws the cells out to pixels, by
strips as the library writes its files; the other side adds to slices of two NumPy arrays, a sum and a count, and
divides. A second row holds patches four times as long and as many of them against patches of 112 px, on cells.

The limit is the memory that a map of pixels takes: the script prints how long filling it with a constant takes.
"""

import argparse

import numpy as np
from rows import Row, in_turn, report, seconds

from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.maps import confidence_map

STRIDE, PATCH_SIZE, LONGER = 8, 112, 4
STRIP = 256
"""Rows of px drawn out at once, so that they are in the processor's cache when they are put in their place."""

TOLERANCE = 1e-5
"""Between the sides, scores being some units: the other one sums 196 scores in single precision."""


class Map:
    """A slide with a grid of patches that covers it, and room for its map."""

    def __init__(self, patches, patch_size, generator):
        self.patch_size, self.side = patch_size, (patches - 1) * STRIDE + patch_size
        starts = np.arange(patches) * STRIDE
        self.coords = np.stack(np.meshgrid(starts, starts), axis=-1).reshape(-1, 2)
        self.scores = generator.normal(size=len(self.coords)).astype(np.float32)
        self.cells = Cells.of_patches(self.coords, patch_size, self.side, self.side, stride=STRIDE)
        shape = self.side, self.side
        self.pixels = np.empty(shape, np.float32)
        self.sum, self.count = np.empty(shape, np.float32), np.empty(shape, np.float32)

    def on_cells(self):
        """Make the map of cells."""
        return confidence_map(self.cells, self.coords, self.patch_size, self.scores)

    def ours(self):
        """Make the map of pixels through the map of cells."""
        values = self.on_cells()
        for top in range(0, self.side, STRIP):
            bottom = min(self.side, top + STRIP)
            self.pixels[top:bottom] = self.cells.expand(values, top, bottom)

    def by_slices(self):
        """Make the map of pixels by adding to slices; it is left in `sum`."""
        self.sum.fill(0)
        self.count.fill(0)
        size = self.patch_size
        for (x, y), score in zip(self.coords.tolist(), self.scores.tolist(), strict=True):
            self.sum[y : y + size, x : x + size] += score
            self.count[y : y + size, x : x + size] += 1
        np.divide(self.sum, self.count, out=self.sum)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048, help="px a side of the slide, about")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()

    generator = np.random.default_rng(0)
    patches = (arguments.side - PATCH_SIZE) // STRIDE + 1
    short, long = (Map(patches, size, generator) for size in (PATCH_SIZE, LONGER * PATCH_SIZE))
    print(f"{len(short.coords)} patches at stride {STRIDE}, {short.side} px a side with {PATCH_SIZE} px patches")
    short.ours(), short.by_slices()
    difference = float(np.abs(short.pixels - short.sum).max())
    print(f"largest difference between the maps {difference:.1e}, of {short.pixels.size} px")
    assert difference <= TOLERANCE

    ratios = in_turn(short.ours, short.by_slices, repeats=arguments.repeats)
    # many maps at a time: one takes milliseconds, and other work on the machine is felt in a single one
    longer = in_turn(
        lambda: [short.on_cells() for _ in range(20)], lambda: [long.on_cells() for _ in range(20)], repeats=15
    )
    for what, call in (
        ("cells alone", short.on_cells),
        ("cells and pixels", short.ours),
        ("by slices", short.by_slices),
        ("filling the map with a constant", lambda: short.pixels.fill(1)),
    ):
        print(f"{what}: {min(seconds(call) for _ in range(5)) * 1e3:.2f} ms")
    report(
        Row("confidence map of pixels, 112 px, stride 8", "adding scores to slices of pixels", ratios, 50),
        Row("confidence map, patches of 448 px", "as many of 112 px", longer, 1.5, at_least=False),
    )


main()
