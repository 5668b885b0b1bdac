"""Does the memory of the segmentation's jobs grow with the slide? Synthetic slides of three sizes, stride 16.

Makes a study of three small training slides and test slides of 5,000, 10,000 and 20,000 px a side (synthetic, random
weights), runs it, and reads each rule's peak memory from Snakemake's own benchmark files.

    .venv/bin/python benchmarks/map_memory.py FOLDER
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile
import yaml

from slidecaf.demo import make_mini

ROOT = Path(__file__).resolve().parents[1]
SIDES = (5_000, 10_000, 20_000)
RULES = ("tiles", "features", "labels", "segment")


def tiles(drawn, side, dtype):
    """Yield the tiles of a picture repeated over a square."""
    for top in range(0, side, 512):
        for left in range(0, side, 512):
            rows, columns = (np.arange(start, start + 512) % len(drawn) for start in (top, left))
            yield drawn[rows[:, None], columns].astype(dtype)


def write_large(path, drawn, side):
    """Write a tiled TIFF."""
    shape = (side, side, *drawn.shape[2:])
    photometric = "rgb" if drawn.ndim == 3 else "minisblack"
    tifffile.imwrite(
        path,
        tiles(drawn, side, np.uint8),
        shape=shape,
        dtype=np.uint8,
        tile=(512, 512),
        compression="jpeg" if drawn.ndim == 3 else "adobe_deflate",
        photometric=photometric,
    )


def make_study(folder):
    """Draw the slides and write sheet and config."""
    make_mini(folder, patients=3, size=1000)
    from PIL import Image

    rgb, mask = (np.asarray(Image.open(folder / kind / "gbm-1.png")) for kind in ("slides", "masks"))
    lines = [line for line in (folder / "segmentation.tsv").read_text().splitlines() if "gbm-4" not in line]
    for side in SIDES:
        write_large(folder / f"slides/large-{side}.tif", rgb, side)
        write_large(folder / f"masks/large-{side}.tif", mask, side)
        lines.append(f"large-{side}\tslides/large-{side}.tif\tmasks/large-{side}.tif\t\tlarge-{side}\ttest")
    (folder / "segmentation.tsv").write_text("\n".join(lines) + "\n")
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 112}
    config = {
        "slides_per_job": 1,
        "features": {
            "dense": {
                "tiling": {"patch_size": 112, "stride": 16, "edge": "cover"},
                "encoder": encoder,
                "extraction": "dense",
            }
        },
        "segmentation": {
            "sheet": "segmentation.tsv",
            "methods": {"svm": {"features": "dense", "training_stride": 64, "inner_folds": 2, "C": [0.001]}},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def first_row(path):
    """Return the first row of a table: the only one of a job's benchmark, and of a manifest of one slide."""
    with open(path, newline="") as file:
        return next(csv.DictReader(file, delimiter="\t"))


def main(folder):
    """Run the study and print a table."""
    if not (folder / "config.yaml").exists():
        make_study(folder)
    subprocess.run([sys.executable, "-m", "slidecaf.cli", "run", folder, "--cores", "2"], check=True)
    slide_of = {path.stem: first_row(path)["slide"] for path in (folder / "results/tiles/dense").glob("batch-*.tsv")}
    found = {}
    for path in (folder / "results/benchmarks").rglob("batch-*.tsv"):
        rule, slide = path.relative_to(folder / "results/benchmarks").parts[0], slide_of[path.stem]
        if slide.startswith("large-"):
            row = first_row(path)
            found[rule, int(slide.removeprefix("large-"))] = float(row["max_rss"]), float(row["s"])
    print("peak memory in MiB (seconds)", *(f"{side:,} px" for side in SIDES), "20,000 : 5,000", sep="\t")
    for rule in RULES:
        cells = [f"{found[rule, side][0]:.0f} ({found[rule, side][1]:.0f})" for side in SIDES]
        ratio = found[rule, SIDES[-1]][0] / found[rule, SIDES[0]][0]
        print(rule, *cells, f"{ratio:.2f}, for 16 times the area", sep="\t")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
