"""MCIL on public sets against what its authors print, and its time at the size of the brain tumour challenge.

Fox, Tiger, Elephant and SIVAL are in shared/data/mil, whose README says where they come from. Bags are dealt into ten
folds, each class by itself, as the authors deal them; every fold's model is fitted to the other nine, and nothing of
its own bags reaches the fit. Accuracy is at a probability of one half. The authors print the mean of ten such runs;
`--repeats` says how many are made here. A row holds where the mean differs from theirs by at most 0.04.

The time is measured on synthetic instances, 45 bags of 3000 instances of 4096 values in float16, with few rounds, and
multiplied up to 150: a round's time does not depend on how many came before.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
from rows import Row, report, seconds
from sklearn.metrics import roc_auc_score

from slidecaf.classification.mcil.model import MCIL

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mil"
PUBLISHED = (
    ("fox", 1, 0.61, None),
    ("tiger", 1, 0.81, None),
    ("elephant", 1, 0.82, None),
    ("sival", 1, 0.742, 0.824),
    ("sival", 3, 0.879, 0.944),
)
FOLDS, ROUNDS, WITHIN = 10, 150, 0.04
BAGS, INSTANCES, VALUES = 45, 3000, 4096
MAX_MINUTES = 15


def read(name):
    """Return a set's bags, each a matrix of its instances, and whether each is positive."""
    bags, labels = {}, {}
    with gzip.open(DATA / f"{name}.data.gz", "rt") as file:
        _, width = map(int, file.readline().split())
        for line in file:
            ids, *entries = line.split()
            _, bag, label = ids.split(":")
            values = np.zeros(width)
            for entry in entries:
                index, value = entry.split(":")
                values[int(index) - 1] = float(value)
            bags.setdefault(int(bag), []).append(values)
            labels[int(bag)] = int(label) >= 1
    return [np.array(bags[bag]) for bag in sorted(bags)], np.array([labels[bag] for bag in sorted(labels)])


def deal(labels, seed):
    """Return each bag's fold, every class dealt by itself."""
    generator, fold = np.random.default_rng(seed), np.empty(len(labels), dtype=int)
    for value in (False, True):
        rows = generator.permutation(np.flatnonzero(labels == value))
        fold[rows] = np.arange(len(rows)) % FOLDS
    return fold


def joined(bags):
    """Return bags as one matrix and its offsets."""
    return np.concatenate(bags), np.concatenate([[0], np.cumsum([len(bag) for bag in bags])])


def cross_validate(bags, labels, clusters, seed):
    """Return accuracy and AUC over the bags, each judged by the model that did not see its fold."""
    fold, confidence = deal(labels, seed), np.empty(len(labels))
    for held_out in range(FOLDS):
        seen, unseen = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
        model = MCIL(clusters, rounds=ROUNDS).fit(*joined([bags[i] for i in seen]), labels[seen])
        confidence[unseen] = model.decision_function(*joined([bags[i] for i in unseen]))
    return np.mean((confidence > 0) == labels), roc_auc_score(labels, confidence)


def judged(name, clusters, accuracy, auc, repeats):
    """Return the rows of a set."""
    bags, labels = read(name)
    start = time.perf_counter()
    found = []
    for seed in range(repeats):
        found.append(cross_validate(bags, labels, clusters, seed))
    for number, kind in enumerate(("accuracy", "AUC")):
        values = [result[number] for result in found]
        print(f"{name}, {clusters} clusters, {kind}: {np.mean(values):.3f} ({' '.join(f'{v:.3f}' for v in values)})")
    print(f"{time.perf_counter() - start:.0f} s", flush=True)
    rows = []
    for number, kind, published in ((0, "accuracy", accuracy), (1, "AUC", auc)):
        if published is not None:
            mean = np.mean([result[number] for result in found])
            rows.append(
                Row(
                    f"MCIL, {name}, clusters: {clusters}, {kind} {mean:.3f}, mean of {repeats}",
                    f"the authors' {published:g}: the difference",
                    [abs(mean - published)],
                    WITHIN,
                    at_least=False,
                    unit="",
                )
            )
    return rows


def minutes(clusters, rounds, threads):
    """Return the minutes that a fit at the challenge's size takes, from one of few rounds."""
    generator = np.random.default_rng(0)
    features = np.empty((BAGS * INSTANCES, VALUES), dtype=np.float16)
    labels = np.arange(BAGS) % 2 == 0
    for bag in range(BAGS):
        # Activations as a network's: half of them 0. A tenth of a positive bag's instances have 50 larger values.
        values = generator.normal(size=(INSTANCES, VALUES)).astype(np.float32).clip(min=0)
        if labels[bag]:
            values[: INSTANCES // 10, :50] += 1
        features[bag * INSTANCES : (bag + 1) * INSTANCES] = values
    offsets = np.arange(BAGS + 1) * INSTANCES
    few, more = (
        seconds(lambda n=n: MCIL(clusters, rounds=n).fit(features, offsets, labels, threads=threads))
        for n in (1, 1 + rounds)
    )
    return (few + (more - few) / rounds * (ROUNDS - 1)) / 60


def main():
    """Compare with the authors' numbers, and time a fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10, help="of the ten-fold cross-validation")
    parser.add_argument("--sets", nargs="*", default=["fox", "tiger", "elephant", "sival"])
    parser.add_argument("--rounds", type=int, default=3, help="of the fit that is timed; 0: no timing")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    rows = []
    for name, *published in PUBLISHED:
        if name in arguments.sets:
            rows += judged(name, *published, arguments.repeats)
    if arguments.rounds:
        rows.append(
            Row(
                f"MCIL, {BAGS} bags of {INSTANCES} synthetic instances of {VALUES} values, {ROUNDS} rounds, 1 cluster",
                f"{arguments.rounds} rounds measured, {arguments.threads} threads",
                [minutes(1, arguments.rounds, arguments.threads)],
                MAX_MINUTES,
                at_least=False,
                unit="minutes",
            )
        )
    report(*rows)


main()
