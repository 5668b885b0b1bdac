"""SVMs of an image collection: many classes, many rows, every candidate nested, against scikit-learn's plain way.

The full size is 10,000 images of 4,096 values in 24 classes, 6 values of C, 3 outer and 5 inner folds and the final
part: what `classifier` does for each part, on `--processes` processes of one BLAS thread each, as the workflow's jobs
run. It takes minutes and is timed with `--schemes one-vs-one one-vs-rest`. The other side is `SVC(kernel="linear")` as
a plain script would call it in its place, the same folds and candidates, at a size where it ends (`--small`); both are
timed there, their choices and weights are compared, and the ratio is reported. Vectors are synthetic: non-negative, in
16 bit, classes that overlap.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from rows import Row, report
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from slidecaf.classification.choice import choose
from slidecaf.classification.folds import assign_folds

C = [0.001, 0.01, 0.1, 1, 10, 100]
OUTER, INNER = 3, 5
DIRECTIONS = 300
MAX_MINUTES = 20


def draw(rows, values, classes, seed=0):
    """Return vectors, labels and groups: classes that overlap in some directions, mixed, rectified, with noise."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=rows)
    spread = np.linspace(1, 0.1, DIRECTIONS)  # as in layers of a network, where some directions hold most
    latent = (
        0.2 * generator.normal(size=(classes, DIRECTIONS))[labels] + generator.normal(size=(rows, DIRECTIONS))
    ) * spread
    noise = generator.normal(size=(rows, values)) * 0.1
    mixed = latent @ generator.normal(size=(DIRECTIONS, values)) / np.sqrt(spread @ spread)
    vectors = np.maximum(0, mixed + noise).astype(np.float16)
    return vectors, np.array([f"class-{k:02}" for k in labels]), np.arange(rows).astype(str)


def ours(size, part, scheme, scale):
    """Choose and fit for a part; return the seconds of wall clock, the choice and the weights."""
    vectors, labels, groups = draw(*size)
    kept = assign_folds(labels, groups, OUTER) != part
    start = time.perf_counter()
    grid = {"features": ["cnn"], "norm": [1], "keep": ["all"], "C": C, "scale": [scale]}
    with threadpool_limits(1):
        choice, fitted = choose(
            {("cnn", 1.0): vectors[kept].astype(np.float64)},
            labels[kept],
            groups[kept],
            classes=sorted(set(labels)),
            grid=grid,
            inner_folds=INNER,
            seed=0,
            max_iter=1_000_000,
            scheme=scheme,
        )
    coef = np.empty_like(fitted.model.coef)
    coef[:, fitted.selection] = fitted.model.coef
    return time.perf_counter() - start, choice, coef


def plain(size, part):
    """Do the same by one-vs-one ``SVC(kernel="linear")``; return seconds, hits by C and weights."""
    vectors, labels, groups = draw(*size)
    kept = assign_folds(labels, groups, OUTER) != part
    X, y, groups = vectors[kept].astype(np.float64), labels[kept], groups[kept]
    start, hits = time.perf_counter(), dict.fromkeys(C, 0)
    with threadpool_limits(1):
        folds = assign_folds(y, groups, INNER)
        for fold in range(INNER):
            train, held = folds != fold, folds == fold
            for value in C:
                svm = SVC(kernel="linear", C=value, break_ties=True).fit(X[train], y[train])
                hits[value] += int((svm.predict(X[held]) == y[held]).sum())
        best = max(hits, key=lambda value: (hits[value], -value))
        svm = SVC(kernel="linear", C=best).fit(X, y)
    return time.perf_counter() - start, hits, -svm.coef_


def full(size, scheme, scale, processes):
    """Return the minutes of all parts of a study, and the inner accuracy of the final one."""
    parts = [-1, *range(OUTER)]  # -1: no fold is left out, the final part
    start = time.perf_counter()
    with ProcessPoolExecutor(processes) as pool:
        found = [job.result() for job in [pool.submit(ours, size, part, scheme, scale) for part in parts]]
    return (time.perf_counter() - start) / 60, found[0][1]["accuracy"]


def main():
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=3, default=[10_000, 4096, 24], help="rows, values, classes")
    parser.add_argument("--small", type=int, nargs=3, default=[1500, 4096, 24], help="the same, for both sides")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scales", nargs="+", default=["none"])
    parser.add_argument(
        "--schemes", nargs="*", default=[], help="what to time at the full size: one-vs-one, one-vs-rest"
    )
    args = parser.parse_args()
    rows = []
    seconds, choice, coef = ours(args.small, 0, "one-vs-one", "none")
    other, hits, expected = plain(args.small, 0)
    assert {one["C"]: one["correct"] for one in choice["candidates"]} == hits, "the choices differ"
    apart = np.abs(coef - expected).max() / np.abs(expected).max()
    what = "SVMs of a collection, one part, {} rows x {} values x {} classes".format(*args.small)
    print(f"{what}: {seconds:.1f} s, SVC {other:.1f} s", flush=True)
    rows.append(Row(what, 'SVC(kernel="linear"), folds and candidates the same', [other / seconds]))
    rows.append(Row("weights of these", "those of SVC, share of the largest", [apart], 1e-4, at_least=False, unit=""))
    for scheme in args.schemes:
        for scale in args.scales:
            minutes, accuracy = full(args.size, scheme, scale, args.processes)
            what = "SVMs of a collection, all parts, {} x {} x {}, ".format(*args.size) + f"{scheme}, scale {scale}"
            print(f"{what}: {minutes:.2f} minutes, inner accuracy {accuracy:.3f}", flush=True)
            rows.append(Row(what, "wall clock", [minutes], MAX_MINUTES, at_least=False, unit="minutes"))
    report(*rows)


if __name__ == "__main__":
    main()
