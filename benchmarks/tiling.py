"""Tiling with the white rule against reading each patch in full.

Ours proves patches to be kept on lower levels of the pyramid and reads of level 0 only what no level proves, each pixel
once. The other side reads each patch of the grid with OpenSlide and looks at all its pixels; OpenSlide keeps decoded
tiles (its default, 32 MiB), so that on a narrow slide it too decodes each pixel about once, but not on a slide of
usual width, where the tiles of a row of patches do not fit. Both open the slide anew every time and must keep the same
patches. On real slides where ../shared/data is there: a small one with its own pyramid of two levels, and one of usual
width, a pyramid made of mirrored copies of a real one; without them that of the synthetic demo.

The limit is decoding once what must be decoded: a white patch is only known to be white from all its pixels, and its
tiles are decoded whole. The script prints what share of the tiles that is, what share of the pixels was read, and how
long reading all of level 0 takes once, without any test.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from openslide import OpenSlide
from rows import Row, report, seconds

from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.slides import open_slide
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "slides"
CLASSIFICATION = Tiling(patch_size=336, stride=252, edge="drop", white_above=200)
SEGMENTATION = Tiling(patch_size=112, stride=16, edge="drop", white_above=200)
GOAL = 5


def wide_slide(folder, width):
    """Write a pyramid of usual width; return its path and what it was made of."""
    single = DATA / "cmu-1-small-region.svs"
    if single.is_file():
        with open_slide(single) as slide:
            pixels, source = slide.read(0, 0, slide.width, 2100), single.name
    else:
        pixels, source = draw_slide(SLIDES[0])[0][:2100], "the synthetic demo"
    pixels = np.concatenate([pixels, pixels[:, ::-1]], 1)  # mirrored, so that no seam repeats
    pixels = np.concatenate([pixels] * -(-width // pixels.shape[1]), 1)
    path = folder / "wide.tiff"
    write_slide(path, np.ascontiguousarray(pixels[:, :width]), quality=80)
    return path, source


def ours(path, tiling):
    """Return the coordinates of the patches kept."""
    with open_slide(path) as slide:
        return tile(slide, tiling)


def in_full(path, tiling):
    """Return the same, each patch read at level 0."""
    kept, size = [], tiling.patch_size
    with OpenSlide(path) as slide:
        width, height = slide.dimensions
        for y in range(0, height - size + 1, tiling.stride):
            for x in range(0, width - size + 1, tiling.stride):
                # opaque slides: alpha is 255 and above every threshold
                if np.asarray(slide.read_region((x, y), 0, (size, size))).min() <= tiling.white_above:
                    kept.append((x, y))
    return np.array(kept, np.int64).reshape(-1, 2)


def read_once(path):
    """Read all pixels of level 0."""
    with open_slide(path) as slide:
        width, height = slide.levels[0].block
        for y in range(0, slide.height, height):
            for x in range(0, slide.width, width):
                slide.read(x, y, min(width, slide.width - x), min(height, slide.height - y))


def cases(folder, width):
    """Return what to measure: name, path, tiling and goal."""
    wide, source = wide_slide(folder, width)
    listed = [(f"a slide {width} px wide made of {source}", wide, CLASSIFICATION, GOAL)]
    small = DATA / "tcga-cr-7395-01a-01-ts1.svs"
    if small.is_file():
        listed += [(small.stem[:12], small, SEGMENTATION, GOAL), (small.stem[:12], small, CLASSIFICATION, GOAL)]
    return listed


def must_be_decoded(path, patches):
    """Return the share of the file's tiles that a discarded patch lies on."""
    size = patches.tiling.patch_size
    with open_slide(path) as slide:
        grid = tile(slide, replace(patches.tiling, white_above=None)).coords
        width, height = slide.levels[0].tile
        needed = np.zeros((-(-slide.height // height), -(-slide.width // width)), bool)
    kept = set(map(tuple, patches.coords.tolist()))
    for x, y in grid.tolist():
        if (x, y) not in kept:
            needed[y // height : -(-(y + size) // height), x // width : -(-(x + size) // width)] = True
    return needed.mean()


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=24_000, help="px of the slide of usual width")
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path, tiling, goal in cases(Path(folder), arguments.width):
            found = ours(path, tiling)
            with open_slide(path) as slide:
                levels, pixels = len(slide.levels), slide.width * slide.height
            stage = f"tiling with the white rule, {tiling.patch_size} px at stride {tiling.stride}, {name}"
            print(
                f"{stage}: {levels} levels, {len(found.coords)} patches kept {found.effort}: "
                f"{found.pixels_read / pixels:.0%} of level 0, and white patches lie on "
                f"{must_be_decoded(path, found):.0%} of its tiles; ours takes "
                f"{seconds(partial(ours, path, tiling)):.2f} s, reading level 0 once "
                f"{seconds(partial(read_once, path)):.2f} s",
                flush=True,
            )
            ratios = []
            for _ in range(arguments.repeats):
                start = time.perf_counter()
                literal = in_full(path, tiling)
                ratios.append((time.perf_counter() - start) / seconds(partial(ours, path, tiling)))
                np.testing.assert_array_equal(found.coords, literal)
            rows.append(Row(stage, "reading each patch in full", ratios, goal))
    report(*rows)


main()
