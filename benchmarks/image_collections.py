"""Scores and times of the image collections of docs/examples, from images to the report.

    .venv/bin/python benchmarks/image_collections.py FOLDER COLLECTIONS WEIGHTS [--only scenes15] [--ungrouped]

COLLECTIONS holds a folder a collection, each with a sheet.tsv; WEIGHTS holds the ImageNet weights that the examples
name, as NETWORKS has their files. Each study is FOLDER/{collection}, made from its example and run whole; a finished
one is only read. With --ungrouped the CT nodules are cross-validated twice more, by exam and with slices dealt at
random: what `patient` is for.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import yaml

EXAMPLES = Path(__file__).parents[1] / "docs/examples"
COLLECTIONS = {
    "chest-xray": "chest_xray",
    "scenes15": "scenes15",
    "isic2017": "isic2017",
    "ham10000": "ham10000",
    "lidc-nodules": "lidc_nodules",
}
NETWORKS = {"squeezenet1_0": "squeezenet1_0_imagenet.pth", "mobilenet_v2": "mobilenet_v2_imagenet_features.pth"}


def read(path):
    """Return a table's rows."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def make_study(folder, config, source, weights, *, change=None):
    """Write a study of an example: its config with weights that are here, and a sheet with a collection's paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for features in config["features"].values():
        encoder = features["encoder"]
        # of its own, for examples share mappings by YAML's anchors
        own = {**encoder, "weights": os.path.relpath(weights / NETWORKS[encoder["model"]], folder)}
        features["encoder"] = own
    rows = [change(row) if change else row for row in read(source / "sheet.tsv")]
    with open(folder / "sheet.tsv", "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        table.writeheader()
        for row in rows:
            placed = {key: os.path.relpath(source / row[key], folder) for key in ("path", "mask") if row.get(key)}
            table.writerow(row | placed)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def run(folder):
    """Run a study, and return the seconds that it took from nothing; None where it was finished before."""
    slidecaf, times = Path(sys.executable).with_name("slidecaf"), folder / "seconds.txt"
    fresh, start = not (folder / "results").exists(), time.perf_counter()
    subprocess.run([slidecaf, "run", folder, "--cores", "2"], check=True)
    if fresh:
        times.write_text(f"{time.perf_counter() - start:.0f}")
    return int(times.read_text()) if times.exists() else None


def rows_of(name, folder):
    """Return a line of the page of results for each method of a study."""
    for method in yaml.safe_load((folder / "config.yaml").read_text())["classification"]["methods"]:
        results = folder / f"results/classification/{method}"
        scores = json.loads((results / "scores.json").read_text())
        cv, test = scores["cross_validation"], scores["test"]
        maps = [float(row["auc"]) for row in read(results / "maps.tsv") if row["auc"]] if method == "ffv" else []
        found = "–" if not maps else f"{sum(maps) / len(maps):.3f}"
        yield (
            f"| {name} | {method} | {cv['accuracy']:.3f} ({cv['balanced_accuracy']:.3f}, {cv['auc']:.3f}) | "
            f"{test['accuracy']:.3f} ({test['balanced_accuracy']:.3f}, {test['auc']:.3f}) | "
            f"{test['accuracy_ci95'][0]:.3f} to {test['accuracy_ci95'][1]:.3f} | {found} |"
        )


def ungrouped(top, collections, weights):
    """Cross-validate the CT nodules by exam and slice by slice, and print what each says of the held-out exams."""

    def slices_alone(row):
        return row | {"patient": row["slide"]} if row["split"] == "train" else row

    for name, change in (("by exam", None), ("slices dealt at random", slices_alone)):
        config = yaml.safe_load((EXAMPLES / "lidc-nodules.yaml").read_text())
        task = config["classification"]
        task["methods"] = {key: task["methods"][key] for key in ("mobilenet", "squeezenet")}
        del config["features"]["places"]
        folder = top / f"nodules-{name.replace(' ', '-')}"
        make_study(folder, config, collections / "lidc_nodules", weights, change=change)
        run(folder)
        for method in task["methods"]:
            scores = json.loads((folder / f"results/classification/{method}/scores.json").read_text())
            print(
                f"{method}, {name}: cross-validation {scores['cross_validation']['accuracy']:.3f}, "
                f"held-out exams {scores['test']['accuracy']:.3f}"
            )


def main():
    """Run the studies, and print the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("collections", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--only", choices=COLLECTIONS, action="append")
    parser.add_argument("--ungrouped", action="store_true")
    given = parser.parse_args()
    top, collections, weights = (path.resolve() for path in (given.folder, given.collections, given.weights))
    if given.ungrouped:
        ungrouped(top, collections, weights)
        return
    lines, times = [], []
    for name in given.only or COLLECTIONS:
        folder, source = top / name, collections / COLLECTIONS[name]
        make_study(folder, yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()), source, weights)
        seconds = run(folder)
        lines += rows_of(name, folder)
        megabytes = (folder / "results/report.html").stat().st_size / 1e6
        times.append(f"| {name} | {'–' if seconds is None else f'{seconds / 60:.1f}'} | {megabytes:.1f} |")
    print("| collection | method | cross-validation | test | 95 % interval | AUC of membership |")
    print("|---|---|---|---|---|---|", *lines, sep="\n")
    print("\n| collection | minutes | MB of report.html |\n|---|---|---|", *times, sep="\n")


if __name__ == "__main__":
    main()
