"""Many left-out SVMs at once against scikit-learn's LinearSVC, one after the other on every core by joblib.

Both sides solve the same problems on the same real features: the 27 sections, seven blocks left out in turn, each with
its inner models and its own, and four values of C. LinearSVC is timed on a sample of them, two sides alternating, and
scaled to all as if no core ever waited; solutions of both sides are certified by the duality gap written out here.
SqueezeNet gives 512 values a patch, AlexNet with random weights 4,096, where LinearSVC takes minutes:
`--values 512 4096`. The memory of ours is measured in a process of its own, at 4,096 values: SqueezeNet's eight times
over, since it depends on how many there are and not on what they are.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from rows import Row, report
from sklearn.svm import LinearSVC

from slidecaf.segmentation.parts import Problem, problems
from slidecaf.segmentation.solver.patch_models import fit_left_out

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ENCODERS = {
    512: {
        "model": "squeezenet1_0",
        "layer": "features",
        "weights": str(DATA / "weights" / "squeezenet1_0_imagenet.pth"),
        "input_size": 224,
    },
    4096: {"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224},
}
C = [0.0001, 0.001, 0.01, 0.1]
SAMPLE = {512: (2, (1, 1, 1, 1)), 4096: (1, (2, 0, 2, 0))}
"""Sets of rows on which LinearSVC is timed, and how often a place in C counts. At 4,096 values the largest C takes it
many minutes: without --full every second C is counted as if it took no longer than the one before, in its favour."""
SMALLEST, LARGE = min(ENCODERS), max(ENCODERS)
GAP, GOAL, MEMORY_GOAL = 1e-3, 15, 1.5
SMALL = 4
"""Sets of rows that ours solves at 4,096 values, unless --full, and"""
LEAST = 2
"""those of which the memory is measured."""


def make_rows(dimension, threads):
    """Return features, labels and blocks of the patches of all sections, every 32 px."""
    import csv

    from PIL import Image

    from slidecaf.features.extraction import dense
    from slidecaf.features.networks.encoder import load_encoder
    from slidecaf.segmentation.maps import ConfidenceWriter
    from slidecaf.slides import open_slide
    from slidecaf.tiles.grid import tile
    from slidecaf.tiles.tiling import Tiling

    class Kept(ConfidenceWriter):
        """Keeps the features themselves."""

        def __init__(self, count):
            self.rows, self.written, self.nonzero = np.empty((count, dimension), np.float16), 0, 0

        def write(self, start, features, valid):
            self.rows[start : start + len(features)] = features

    encoder = load_encoder(ENCODERS[dimension])
    tiling = Tiling(patch_size=112, stride=32, edge="cover", white_above=None, mpp=None)
    matrix, labels, blocks = [], [], []
    with open(DATA / "gbm_necrosis" / "sheet.tsv", newline="") as file:
        sheet = list(csv.DictReader(file, delimiter="\t"))
    for row in sheet:
        with open_slide(DATA / "gbm_necrosis" / row["path"]) as slide:
            coords = tile(slide, tiling).coords
            kept = Kept(len(coords))
            options = {"threads": threads, "max_unreadable": 0, "advance": lambda count: None}
            dense.extract(slide, coords, encoder, kept, patch_size=112, stride=32, stride_level0=32, **options)
        mask = np.asarray(Image.open(DATA / "gbm_necrosis" / row["mask"])) > 0
        matrix.append(kept.rows)
        labels += [bool(mask[y : y + 112, x : x + 112].mean() > 0.5) for x, y in coords]
        blocks += [row["block"]] * len(coords)
    return np.concatenate(matrix), np.array(labels), np.array(blocks)


def make_weights(blocks):
    """Return a weight for each row and problem of the seven blocks: inner models and the block's own."""
    names = sorted(set(blocks))
    listed = problems({name: k for k, name in enumerate(names)}, {name: name for name in names}, 5, seed=0)
    return [np.isin(blocks, problem.trained_on).astype(np.float32) for problem in listed if keeps(problem)]


def keeps(problem: Problem):
    """Tell whether a problem leaves something out."""
    return problem.part != "final"


def gap_of(matrix, labels, weight, value, coef, intercept, mean, scale):
    """Return how far a solution is from the optimum at most, as a share of its objective."""
    rows = weight > 0
    x, y = (matrix[rows] - mean) / scale, np.where(labels[rows], 1.0, -1.0)
    w, b = coef * scale, intercept + coef @ mean
    hinge = np.maximum(0, 1 - y * (x @ w + b))
    primal = (w @ w + b * b) / 2 + value * (hinge**2).sum()
    a = 2 * value * hinge * y
    v = np.append(a @ x, a.sum())
    return 1 - np.abs(a).sum() ** 2 / (4 * value * (hinge**2).sum() + 2 * v @ v) / primal


def moments(rows):
    """Return mean and deviation, 1 where there is none."""
    scale = rows.std(axis=0)
    scale[scale == 0] = 1
    return rows.mean(axis=0), scale


def linear_svc(matrix, labels, weight, value):
    """Fit one SVM, standardised by its own rows; return the seconds it took, and it for features as stored."""
    start = time.perf_counter()
    rows = np.flatnonzero(weight)
    own = matrix[rows].astype(np.float64)
    mean, scale = moments(own)
    own -= mean
    own /= scale
    svc = LinearSVC(C=value, dual=False).fit(own, labels[rows])
    coef = svc.coef_[0] / scale
    return time.perf_counter() - start, coef, svc.intercept_[0] - coef @ mean, mean, scale


def compare(dimension, rows, arguments):
    """Return the ratios, and what was compared."""
    matrix, labels, blocks = rows
    weights = make_weights(blocks)
    distinct = len({weight.tobytes() for weight in weights})
    sets, counts = SAMPLE[dimension]
    if arguments.full:
        counts = [1] * len(C)
    chosen = weights if dimension == 512 or arguments.full else weights[:SMALL]
    few = len({weight.tobytes() for weight in chosen})
    print(f"{matrix.shape} features, {len(weights)} sets of rows ({distinct} distinct) x {len(C)} C", flush=True)
    # the largest C first: it takes longest
    sample = [(weight, k) for k in reversed(range(len(C))) for weight in weights[:: len(weights) // sets][:sets]]
    sample = [(weight, k) for weight, k in sample if counts[k]]
    ratios = []
    for _ in range(arguments.repeats if dimension == 512 else 1):
        start = time.perf_counter()
        models = fit_left_out(matrix, labels, chosen, C, max_iter=1000, threads=arguments.threads)
        mine = (time.perf_counter() - start) * distinct / few
        solved = Parallel(n_jobs=arguments.threads)(
            delayed(linear_svc)(matrix, labels, weight, C[k]) for weight, k in sample
        )
        taken = sum(counts[k] * one[0] for (_, k), one in zip(sample, solved, strict=True))
        other = taken / arguments.threads * len(weights) / sets
        theirs = max(
            gap_of(matrix, labels, weight, C[k], *one[1:]) for (weight, k), one in zip(sample, solved, strict=True)
        )
        ours = 0.0
        for weight, model in list(zip(chosen, models, strict=True))[:2]:
            mean, scale = moments(matrix[weight > 0].astype(np.float64))
            for k, value in enumerate(C):
                solution = model.coef[k], model.intercept[k]
                ours = max(ours, gap_of(matrix, labels, weight, value, *solution, mean, scale))
        print(
            f"{dimension} values: ours {mine:.1f} s for all ({few} of {distinct} distinct sets timed), LinearSVC "
            f"{other:.0f} s for all ({len(sample)} of {len(weights) * len(C)} problems timed); worst gap {ours:.1e} "
            f"and {theirs:.1e}",
            flush=True,
        )
        each = ", ".join(f"{C[k]:g}: {one[0]:.0f} s" for (_, k), one in zip(sample, solved, strict=True))
        print(f"LinearSVC, a problem by its C: {each}", flush=True)
        if ours > GAP:
            sys.exit("ours is not within the gap")
        ratios.append(other / mine)
    return ratios, f"joblib over LinearSVC(dual=False), {len(sample)} of {len(weights) * len(C)} problems, scaled"


def memory(path):
    """Fit within a budget and print the peak that this added, as a share of one float32 copy of the rows."""
    with np.load(path) as stored:
        before = peak()
        matrix, labels, weights = stored["matrix"], stored["labels"], list(stored["weights"])
    copy = 4 * matrix.size
    fit_left_out(matrix, labels, weights[:LEAST], C[:2], memory=int(BUDGET * copy), threads=2)
    print((peak() - before) / copy)


BUDGET = 0.5
"""Of one float32 copy, for what the fits take beside the rows, which take half a copy themselves."""


def peak():
    """Return the peak of this process's memory, in bytes; `getrusage` has the peak of what started it too."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main():
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--values", type=int, nargs="+", choices=ENCODERS, default=[512])
    parser.add_argument("--full", action="store_true", help="solve all problems at 4,096 values too")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        memory(arguments.memory)
        return
    if not DATA.is_dir():
        sys.exit("the real sections are not here; nothing was measured.")
    found = []
    rows = {dimension: make_rows(dimension, arguments.threads) for dimension in {*arguments.values, SMALLEST}}
    for dimension in arguments.values:
        ratios, against = compare(dimension, rows[dimension], arguments)
        found.append(Row(f"left-out SVMs, {dimension:,} values", against, ratios, GOAL))
    matrix, labels, blocks = rows[SMALLEST]
    matrix = np.tile(matrix, LARGE // SMALLEST)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npz"
        np.savez(path, matrix=matrix, labels=labels, weights=make_weights(blocks))
        command = [sys.executable, __file__, "--memory", str(path)]
        share = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    stage = f"memory of left-out SVMs, {LARGE:,} values"
    found.append(Row(stage, "one float32 copy of the rows", [share], MEMORY_GOAL, at_least=False))
    report(*found)


main()
