"""The paper's comparison (Table 2 and section 5.4) on real sections: makes two studies, runs them, prints both tables.

    .venv/bin/python benchmarks/paper_methods.py FOLDER DATA [--task classification|segmentation]

DATA holds glioma_tiles/ and gbm_necrosis/ (sheet.tsv, images, masks) and weights/, SqueezeNet's and MobileNetV2's of
ImageNet. The studies are FOLDER/classification and FOLDER/segmentation; each has a report. What stands in
`comparison.tsv` is printed, and every score is counted again from predictions and masks without slidecaf.
"""

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path

import yaml
from necrosis_sections import recomputed

NETWORKS = {
    "squeezenet": {"model": "squeezenet1_0", "layer": "features", "weights": "squeezenet1_0_imagenet.pth"},
    "mobilenet": {"model": "mobilenet_v2", "layer": "features", "weights": "mobilenet_v2_imagenet_features.pth"},
}
SIZES = (112, 224, 336)  # the inner folds choose, as the paper's 336 was chosen


def read(path):
    """Return a table's rows."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def classification(top):
    """Return the config and the sheet of the diagnosis: every method of Table 2."""
    features = {"whole-squeezenet": {"tiling": "whole", "encoder": NETWORKS["squeezenet"]}}
    features["whole-mobilenet"] = {"tiling": "whole", "encoder": NETWORKS["mobilenet"]}
    for size in SIZES:
        tiling = {"patch_size": size, "overlap": 0.25, "edge": "cover", "white_above": 200}
        features[f"manual-{size}"] = {"kind": "manual", "tiling": tiling}
        features |= {f"{name}-{size}": {"tiling": tiling, "encoder": of} for name, of in NETWORKS.items()}
    methods = {
        "svm-cnn": {"features": [f"squeezenet-{size}" for size in SIZES]},
        "svm-cnn-mobilenet": {"features": [f"mobilenet-{size}" for size in SIZES]},
        "mcil": {"kind": "mcil", "features": "squeezenet-112"},
        "mcil-mobilenet": {"kind": "mcil", "features": "mobilenet-112"},
        "svm-mf": {"features": [f"manual-{size}" for size in SIZES]},
        "image-level": {"features": ["whole-squeezenet"]},
        "image-level-mobilenet": {"features": ["whole-mobilenet"]},
    }
    rows = read(top / "glioma_tiles/sheet.tsv")
    sheet = [[row["slide"], top / "glioma_tiles" / row["path"], row["label"], row["patient"], "train"] for row in rows]
    config = {"features": features, "classification": {"sheet": "sheet.tsv", "positive": "GBM", "folds": 3}}
    config["classification"]["methods"] = methods
    return config, ["slide", "path", "label", "patient", "split"], sheet


def segmentation(top):
    """Return the config and the sheet of the map: every method of Figure 6, the paper's parameters and smaller ones."""
    tiling = {"patch_size": 112, "stride": 8, "edge": "cover"}
    features = {
        "squeezenet-112": {"tiling": tiling, "encoder": NETWORKS["squeezenet"], "extraction": "dense"},
        # a place of MobileNetV2's map is 32 px of the enlarged section
        "mobilenet-112": {"tiling": tiling | {"stride": 16}, "encoder": NETWORKS["mobilenet"], "extraction": "dense"},
    }
    features["manual-112"] = {"kind": "manual", "tiling": tiling, "extraction": "dense"}
    methods = {
        name: {"features": used, "training_stride": 32, "hard_examples": {"copies": 1}}
        for name, used in (
            ("svm-cnn", "squeezenet-112"),
            ("svm-cnn-mobilenet", "mobilenet-112"),
            ("svm-mf", "manual-112"),
        )
    }
    methods["graph-rlm"] = {"kind": "graph-rlm"}
    methods["graph-rlm-small"] = {"kind": "graph-rlm", "comp_thr": [25, 50, 100]}
    rows = read(top / "gbm_necrosis/sheet.tsv")
    sheet = [
        [row["slide"], *(top / "gbm_necrosis" / row[column] for column in ("path", "mask")), row["block"]]
        for row in rows
    ]
    own = {"sheet": "sheet.tsv", "group_name": "block", "methods": methods}
    return {"features": features, "segmentation": own}, ["slide", "path", "mask", "patient"], sheet


def make_study(folder, config, columns, sheet, top):
    """Write the config and the sheet of a study."""
    folder.mkdir(parents=True, exist_ok=True)
    config["title"] = "The paper's methods on real sections"
    for features in config["features"].values():
        if "encoder" in features:
            weights = os.path.relpath(top / "weights" / features["encoder"]["weights"], folder)
            features["encoder"] = features["encoder"] | {"weights": weights}
    with open(folder / "sheet.tsv", "w") as file:
        print(*columns, sep="\t", file=file)
        for row in sheet:
            print(
                *(os.path.relpath(cell, folder) if isinstance(cell, Path) else cell for cell in row),
                sep="\t",
                file=file,
            )
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def accuracy(folder, row):
    """Return a method's share of right predictions of left-out slides."""
    rows = read(folder / f"results/classification/{row['method']}/predictions.tsv")
    right = [one["predicted"] == one["label"] for one in rows if one["split"] == "cv"]
    return sum(right) / len(right)


def mean_score(folder, row):
    """Return the mean S of a method's left-out masks."""
    return recomputed(folder, row["variant"], row["method"])[:, 0].mean()


TASKS = {"classification": (classification, accuracy), "segmentation": (segmentation, mean_score)}


def main():
    """Run the studies and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", choices=TASKS, action="append")
    settings = parser.parse_args()
    top = settings.data.resolve()
    for task in settings.task or TASKS:
        make, score = TASKS[task]
        folder = settings.folder.resolve() / task
        make_study(folder, *make(top), top)
        subprocess.run([sys.executable, "-m", "slidecaf.cli", "run", folder], check=True)
        print("| method | variant | n | score | interval | difference | p | seconds | GiB |")
        print("|---|---|--:|--:|---|--:|--:|--:|--:|")
        for row in read(folder / f"results/{task}/comparison.tsv"):
            counted = score(folder, row)
            assert abs(counted - float(row["score"])) < 1e-6, (row, counted)
            interval = f"{float(row['ci_low']):.3f} to {float(row['ci_high']):.3f}"
            against = [f"{float(row[key]):.3f}" if row[key] else "" for key in ("difference", "p")]
            cost = [
                f"{float(row[key]):{form}}" if row[key] else ""
                for key, form in (("seconds", ".0f"), ("memory_gib", ".2f"))
            ]
            print("|", row["method"], "|", row.get("variant", ""), "|", row["n"], end=" | ")
            print(f"{float(row['score']):.3f}", interval, *against, *cost, sep=" | ", end=" |\n")


if __name__ == "__main__":
    main()
