"""The segmentation on 27 real glioblastoma sections: makes the study, runs it, and scores the masks by themselves.

    .venv/bin/python benchmarks/necrosis_sections.py FOLDER DATA [--precision bf16] [--extraction KIND] [--stride 32]
        [--stain METHOD] [--target SLIDE] [--context none slide]

DATA holds gbm_necrosis/ (sheet.tsv, images, masks) and weights/squeezenet1_0_imagenet.pth. Scores are recomputed from
the mask files without slidecaf, and must equal those of scores.json. Runs with other settings, each in a folder of its
own, say what a precision or a kind of extraction costs in S, and what context and stain bring.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def make_study(folder, data, settings):
    """Write the sheet, blocks as patients, and the config."""
    folder.mkdir(parents=True, exist_ok=True)
    top = os.path.relpath(data, folder)
    with open(data / "gbm_necrosis/sheet.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with open(folder / "sheet.tsv", "w") as file:
        print("slide", "path", "mask", "patient", sep="\t", file=file)
        for row in rows:
            paths = (f"{top}/gbm_necrosis/{row[column]}" for column in ("path", "mask"))
            print(row["slide"], *paths, row["block"], sep="\t", file=file)
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": f"{top}/weights/squeezenet1_0_imagenet.pth"}
    tiling = {"patch_size": 112, "stride": settings.stride, "edge": "cover"}
    extracted = {"extraction": settings.extraction, "precision": settings.precision}
    if settings.stain:
        extracted["image"] = {"stain": {"method": settings.stain, "target": settings.target}}
    method = {"features": "sq-112", "training_stride": 32, "hard_examples": {"copies": 1}}
    if settings.context:
        method["context"] = settings.context
    config = {
        "features": {"sq-112": {"tiling": tiling, "encoder": encoder, **extracted}},
        "segmentation": {"sheet": "sheet.tsv", "group_name": "block", "methods": {"svm-cnn": method}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def recomputed(folder, variant, method="svm-cnn"):
    """Return each slide's score and share of truth, from the mask files alone."""
    found = []
    with open(folder / "sheet.tsv", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            truth = np.asarray(Image.open(folder / row["mask"]).convert("L")) > 0
            mask = (
                np.asarray(Image.open(folder / f"results/segmentation/{method}/{variant}/mask/{row['slide']}.tif")) > 0
            )
            both = mask.sum() + truth.sum()
            found.append((2 * (mask & truth).sum() / both if both else 1.0, truth.mean()))
    return np.array(found)


def main():
    """Run the study and print its scores twice: as written, and recomputed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--extraction", default="dense")
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--stain", choices=["reinhard", "macenko"])
    parser.add_argument("--target", default="W3-1-1-A.1.01", help="with --stain; the sheet's first section by default")
    parser.add_argument("--context", nargs="+", choices=["none", "slide"])
    settings = parser.parse_args()
    folder = settings.folder
    if not (folder / "config.yaml").exists():
        make_study(folder, settings.data.resolve(), settings)
    subprocess.run([sys.executable, "-m", "slidecaf.cli", "run", folder], check=True)
    scores = json.loads((folder / "results/segmentation/svm-cnn/scores.json").read_text())
    for variant, of in scores.items():
        found = recomputed(folder, variant)
        mean, above = found[:, 0].mean(), found[found[:, 1] > 0.01, 0].mean()
        print(
            f"{variant}: {of['leave_one_out']['score']:.6f} in scores.json, {mean:.6f} from the masks; {above:.4f} over"
        )
        print(f"    the {np.sum(found[:, 1] > 0.01)} sections with more than 1 % necrosis")
        empty = found[found[:, 1] == 0, 0]
        print(f"    {np.sum(empty == 1)} of {len(empty)} sections without necrosis are left without")
        assert abs(of["leave_one_out"]["score"] - mean) < 1e-9


if __name__ == "__main__":
    main()
