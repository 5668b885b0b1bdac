"""The choice of C, threshold and sizes on cells against the same search on pixels, and on cells without its savings.

The slides are synthetic (fields of noise, averaged as maps of 112 px patches at stride 8 are), their pixels' truth is
drawn, and both sides get the same maps from memory. The other side is the same search in two passes, with scikit-image
called for every candidate, the objects once for all sizes of holes. On pixels it is so slow that the comparison has few
thresholds and sizes, for both sides the same. All sides must find the same setting and the same score.

The last row is what a study of 35 patients takes: the choice of one part, on maps in files as the workflow writes them,
measured, and multiplied by its 36 parts (one a patient left out, and the final model), which run side by side where
cores are free.

The limit is the search for connected cells, scipy.ndimage.label, which every threshold needs at least twice: the script
prints what share of the time so many calls of it take.
"""

import argparse
import tempfile
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from rows import Row, report, seconds
from scipy import ndimage
from skimage.morphology import remove_small_holes, remove_small_objects

from slidecaf.segmentation import choice
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.choice import KEYS, Judged, choose_on_maps
from slidecaf.segmentation.maps import read_map, write_maps

CELL, PATCH_CELLS = 8, 14
GRID = {"C": [1e-4, 1e-3, 1e-2, 0.1], "smooth": [0], "min_object": [0, 1000, 10_000], "max_hole": [0, 10_000, 40_000]}
FEW = {"C": [1e-3, 0.1], "smooth": [0], "min_object": [1000, 10_000], "max_hole": [10_000]}
FEW_QUANTILES, FEW_FINER = np.linspace(0.6, 0.98, 5), 2
PATIENTS, PARTS, MAX_SECONDS = 35, 36, 600


def draw(seed, side):
    """Return a slide of whole cells, its truth in px a cell, and its map for every C."""
    generator = np.random.default_rng(seed)
    cuts = np.arange(0, side + 1, CELL)
    shape = (len(cuts) - 1,) * 2
    field = ndimage.gaussian_filter(generator.normal(size=shape), 12)
    field = field / field.std() - 1
    truth = np.rint(np.clip(field * 4 + 0.5, 0, 1) * CELL**2).astype(np.int64)
    maps = {}
    for C in GRID["C"]:
        patches = field + generator.normal(size=shape) * PATCH_CELLS * 0.4
        maps[C] = ndimage.uniform_filter(patches, PATCH_CELLS).astype(np.float32)
        maps[C][: shape[0] // 10, : shape[1] // 8] = np.nan  # white, without patches
    return Judged(f"s{seed}", Cells(cuts, cuts), truth, maps.__getitem__)


def truth_of_pixels(slide):
    """Return a mask that has the slide's truth in each cell."""
    rank = np.arange(CELL**2).reshape(CELL, CELL)
    shown = slide.cells.expand(slide.truth, 0, int(slide.cells.cuts_y[-1]))
    return np.tile(rank, slide.cells.shape) < shown


class Plain:
    """The same search with scikit-image for every candidate, on whatever the maps consist of."""

    def __init__(self, slides, grid, *, pixels):
        self.slides, self.grid, self.pixels = slides, grid, pixels
        self.unit = 1 if pixels else CELL**2  # px in one element
        self.truths = [truth_of_pixels(slide) if pixels else slide.truth for slide in slides]

    def __call__(self):
        """Return the chosen setting, threshold and score."""
        settings = list(product(*(self.grid[key] for key in KEYS)))
        thresholds = {C: choice._quantiles(self.slides, C, 0) for C in self.grid["C"]}
        first = self.search(settings, thresholds)
        best = {setting: self.best(setting, thresholds[setting[0]], first[setting]) for setting in settings}
        winner = min(settings, key=best.get)
        tried, chosen = thresholds[winner[0]], best[winner][-1]
        place = int(np.flatnonzero(tried == chosen)[0])
        ends = tried[max(0, place - 1)], tried[min(len(tried) - 1, place + 1)]
        finer = np.unique(np.append(np.linspace(*ends, choice.FINER + 2), chosen).astype(np.float32))
        rank = self.best(winner, finer, self.search([winner], {winner[0]: finer})[winner])
        return dict(zip(KEYS, winner, strict=True)) | {"threshold": rank[-1]}, -rank[0]

    @staticmethod
    def best(setting, thresholds, scores):
        """Return what to sort by: the score, then what is simpler, as the library ranks."""
        return min(
            (-round(score, 12), *setting, abs(float(t)), float(t)) for t, score in zip(thresholds, scores, strict=True)
        )

    def search(self, settings, thresholds):
        """Return for every setting the mean score at its thresholds."""
        sums = {setting: np.zeros(len(thresholds[setting[0]])) for setting in settings}
        sizes = {}
        for C, smooth, least, most in settings:
            sizes.setdefault((C, smooth), {}).setdefault(least, []).append(most)
        for slide, truth in zip(self.slides, self.truths, strict=True):
            all_true = truth.sum()
            for (C, smooth), by_object in sizes.items():
                values = slide.read(C)
                if self.pixels:
                    values = slide.cells.expand(values, 0, int(slide.cells.cuts_y[-1]))
                covered = ~np.isnan(values)
                for k, threshold in enumerate(thresholds[C]):
                    mask = values > threshold
                    for least, holes in by_object.items():
                        kept = remove_small_objects(mask, max_size=-(-least // self.unit) - 1) if least else mask
                        for most in holes:
                            filled = kept
                            if most and kept.any():
                                filled = remove_small_holes(kept, max_size=most // self.unit)
                            filled = filled & covered
                            both = np.count_nonzero(filled) * self.unit + all_true
                            score = 2 * truth[filled].sum() / both if both else 1.0
                            sums[C, smooth, least, most][k] += score
        return {setting: total / len(self.slides) for setting, total in sums.items()}


def compare(slides, grid, *, pixels, repeats):
    """Return how many times as long the plain search took, both having found the same."""
    plain = Plain(slides, grid, pixels=pixels)
    ours, (chosen, score) = choose_on_maps(slides, grid=grid), plain()
    assert ours["chosen"] == chosen, (ours["chosen"], chosen)
    assert abs(ours["score"] - score) < 1e-12
    print(f"the same best setting: {chosen}, score {score:.4f}", flush=True)
    # ours takes some ten milliseconds beside seconds: a few in a row
    times = 10 if pixels else 1
    return [
        seconds(plain) / seconds(lambda: [choose_on_maps(slides, grid=grid) for _ in range(times)]) * times
        for _ in range(repeats)
    ]


def whole_study(side, folder):
    """Return the seconds of one part's choice, on maps in files."""
    slides = []
    for k in range(PATIENTS):
        slide, path = draw(k, side), folder / f"{k}.h5"
        write_maps(path, [("part", GRID["C"], map(slide.read, GRID["C"]))], status="ok")
        slides.append(Judged(slide.name, slide.cells, slide.truth, partial(read_map, path, "part")))
    taken = seconds(lambda: choose_on_maps(slides, grid=GRID))

    # the least: two searches for connected cells at every threshold of the first pass, and nothing else
    mask = slides[0].read(GRID["C"][0]) > 0
    labels = PATIENTS * len(GRID["C"]) * 2 * len(choice.QUANTILES)
    sample = seconds(lambda: [ndimage.label(mask) for _ in range(200)]) / 200
    print(
        f"one part: {PATIENTS} slides of {side} px a side, {len(GRID['C'])} C, {len(choice.QUANTILES) + 2} "
        f"thresholds at most and {choice.FINER + 2} finer ones, 9 pairs of sizes: {taken:.1f} s; "
        f"{labels} times scipy.ndimage.label alone: {labels * sample:.1f} s. Not measured, multiplied: {PARTS} parts."
    )
    return taken


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2000, help="px a side of the slides, a multiple of 8")
    parser.add_argument("--slides", type=int, default=2, help="of the comparisons")
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()

    slides = [draw(k, arguments.side) for k in range(arguments.slides)]
    print(f"{len(slides)} slides of {arguments.side} px a side, cells of {CELL} px")
    on_cells = compare(slides, GRID, pixels=False, repeats=arguments.repeats)
    quantiles, finer = choice.QUANTILES, choice.FINER
    choice.QUANTILES, choice.FINER = FEW_QUANTILES, FEW_FINER
    on_pixels = compare(slides, FEW, pixels=True, repeats=arguments.repeats)
    choice.QUANTILES, choice.FINER = quantiles, finer
    with tempfile.TemporaryDirectory() as folder:
        part = whole_study(arguments.side, Path(folder))
    report(
        Row("choice of C, threshold and sizes", "the same search on pixels", on_pixels, 30),
        Row("choice of C, threshold and sizes", "on cells, scikit-image called for every candidate", on_cells),
        Row(
            "choice for 35 patients of 4 megapixels, 36 parts one after the other",
            "one part measured, times 36",
            [part * PARTS],
            MAX_SECONDS,
            at_least=False,
            unit="s",
        ),
    )


main()
