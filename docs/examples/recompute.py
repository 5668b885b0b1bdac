"""Recompute a study's numbers from its files, without slidecaf: `python docs/examples/recompute.py STUDY`.

For a reviewer who doubts a score. Of every classification method with two classes: accuracy, Platt's curves and the
probabilities that come of them, the Brier score and the log loss, the scores of patients, and the sum of every heat
map. Needs NumPy, SciPy and h5py. Prints each number that was found again, and ends with exit code 1 at the first that
was not.
"""

import csv
import json
import sys
from pathlib import Path

import h5py
import numpy as np
from scipy.optimize import minimize


def read(path):
    """Read a table as one dict a row."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def same(what, found, written, tolerance):
    """Print a number, or end the program."""
    if abs(found - written) > tolerance:
        sys.exit(f"{what}: {found!r} here, and {written!r} in the file")
    print(f"{what}: {found:.6g}")


def platt(confidence, positive):
    """Fit P(positive) = 1 / (1 + exp(a f + b)) by maximum likelihood, with Platt's targets."""
    confidence, positive = np.array(confidence), np.array(positive)
    high, low = (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2)
    wanted = np.where(positive, high, low)

    def loss(ab):
        z = ab[0] * confidence + ab[1]
        return np.sum(np.logaddexp(0, z) - (1 - wanted) * z)

    return minimize(
        loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 10_000}
    ).x


def probability(ab, confidence):
    """Return the probability of the positive class."""
    return 1 / (1 + np.exp(ab[0] * confidence + ab[1]))


def check_method(top):
    """Recompute the numbers of one method."""
    scores, rows = json.loads((top / "scores.json").read_text()), read(top / "predictions.tsv")
    negative, positive = scores["classes"]
    label_of = {row["slide"]: row["label"] for row in rows}
    told = [row for row in rows if row["predicted"]]
    folds = sorted({row["fold"] for row in told if row["split"] == "cv"})
    curves = {}
    for fold in folds:  # by the fold's own training rows, as models of its inner folds saw them
        inner = [row for row in read(top / f"fold-{fold}/inner.tsv") if row["confidence"]]
        curves[fold] = platt(
            [float(row["confidence"]) for row in inner], [label_of[row["slide"]] == positive for row in inner]
        )
    left_out = [row for row in told if row["split"] == "cv"]
    curves[""] = platt([float(row["confidence"]) for row in left_out], [row["label"] == positive for row in left_out])
    for row in told:
        found = probability(curves[row["fold"]], float(row["confidence"]))
        if abs(found - float(row["probability"])) > 1e-5:
            sys.exit(f"{top}: {row['slide']}: probability {found}, and {row['probability']} in predictions.tsv")
    print(f"{top.name}: probabilities of {len(told)} slides")
    for split, name in (("cv", "cross_validation"), ("test", "test")):
        own = [row for row in rows if row["split"] == split and row["label"] and row["status"] != "copy"]
        if not own:
            continue
        written = scores[name]
        right = np.mean([row["predicted"] == row["label"] for row in own])
        same(f"{top.name}, {name}: accuracy", right, written["accuracy"], 1e-12)
        known = [row for row in own if row["probability"]]
        p = np.array([float(row["probability"]) for row in known])
        y = np.array([row["label"] == positive for row in known])
        same(f"{top.name}, {name}: Brier score", np.mean((p - y) ** 2), written["brier"], 1e-12)
        same(f"{top.name}, {name}: log loss", -np.mean(np.log(np.where(y, p, 1 - p))), written["log_loss"], 1e-12)
        check_patients(f"{top.name}, {name}", own, written["patients"], (negative, positive))
    for path in sorted(top.glob("heatmap/*.h5")):
        with h5py.File(path) as file:
            shares = file["contribution"]
            found = np.nansum(shares[:]) + shares.attrs.get("intercept", 0.0)
            written = shares.attrs.get("confidence", 0.0)
        if abs(found - written) > 1e-9:
            sys.exit(f"{path}: patches add up to {found}, and the slide's confidence is {written}")
    print(f"{top.name}: heat maps of {len(list(top.glob('heatmap/*.h5')))} slides add up")


def check_patients(name, rows, written, classes):
    """Recompute the scores of patients: the mean confidence of a patient's slides, where these are of one class."""
    slides = {}
    for row in rows:
        slides.setdefault(row["patient"], []).append(row)
    right = []
    for own in slides.values():
        if len({row["label"] for row in own}) == 1:
            known = [float(row["confidence"]) for row in own if row["confidence"]]
            predicted = classes[int(np.mean(known) > 0)] if known else ""
            right.append(predicted == own[0]["label"])
    if right:
        same(f"{name}: accuracy by patient, {len(right)} patients", np.mean(right), written["accuracy"], 1e-12)


def main():
    """Look at every method of a study."""
    results = Path(sys.argv[1]) / "results"
    found = [path.parent for path in sorted(results.glob("classification/*/scores.json"))]
    if not found:
        sys.exit(f"{results} holds no scores of a classification; name the folder of a study that has been run.")
    for top in found:
        if len(json.loads((top / "scores.json").read_text())["classes"]) == 2:
            check_method(top)


if __name__ == "__main__":
    main()
