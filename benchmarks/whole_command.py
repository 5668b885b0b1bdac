"""The whole command as a user runs it, against the loop that a user would write: slides to features, start-up included.

Slides are pyramids 20,000 px square, a third of it tissue, made of a real slide's tissue and glass where ../shared/data
is there, and of the synthetic demo without it; each lies in its own folder on the disk and has been read once. Ours is
`slidecaf run` of a study, from nothing to the manifest of the features: Snakemake, tiles with the exact white rule,
features with their checksums. The loop is one process for all slides: OpenSlide, a look at the smallest level for where
tissue is, a torch DataLoader with a worker a core that reads and resizes by Pillow, AlexNet by torch as it comes, NumPy
files. Both have the same weights (random ones, from a file), patches of 336 px at stride 252 and batches of 32. The
loop finds fewer patches, since single dark pixels do not show in a small level; patches a second are compared.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from rows import Row, report

from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.slides import open_slide

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "slides" / "cmu-1-small-region.svs"
SPEC = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224}
GOALS = {(1, "fp32"): 1.2, (8, "fp32"): 1.5, (8, "auto"): 2.0}

LOOP = """
import sys
import numpy as np, torch, torchvision
from openslide import OpenSlide
from PIL import Image

class Patches(torch.utils.data.Dataset):
    def __init__(self, path, places):
        self.path, self.places, self.slide = path, places, None
        self.mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        self.std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    def __len__(self):
        return len(self.places)
    def __getitem__(self, i):
        self.slide = self.slide or OpenSlide(self.path)
        patch = self.slide.read_region(self.places[i], 0, (336, 336)).convert("RGB").resize((224, 224), Image.BILINEAR)
        return (torch.from_numpy(np.array(patch)).permute(2, 0, 1) / 255 - self.mean) / self.std

def places(path):
    slide = OpenSlide(path)
    level = slide.level_count - 4
    small = np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]).convert("RGB")).min(2)
    step, found = slide.level_downsamples[level], []
    for y in range(0, slide.dimensions[1] - 335, 252):
        for x in range(0, slide.dimensions[0] - 335, 252):
            a, b, c, d = (round(v / step) for v in (y, y + 336, x, x + 336))
            if small[a:b, c:d].min() <= 200:
                found.append((x, y))
    return found

model = torchvision.models.alexnet()
model.load_state_dict(torch.load(sys.argv[1], weights_only=True))
model.classifier = model.classifier[:6]
model.eval()
for path in sys.argv[3:]:
    data = Patches(path, places(path))
    loader = torch.utils.data.DataLoader(data, batch_size=32, num_workers=int(sys.argv[2]))
    with torch.inference_mode():
        features = torch.cat([model(batch) for batch in loader])
    np.save(path + ".npy", features.half().numpy())
    print(len(features))
"""
"""What a user would write."""


def make_slide(path, side, number):
    """Write a slide, each of other pixels; return what it was made of."""
    if REAL.is_file():
        with open_slide(REAL) as slide:
            pixels = slide.read(0, 0, slide.width, slide.height)
        tissue, glass, source = pixels[512:], pixels[:240, 270:500], REAL.name
    else:
        tissue = draw_slide(SLIDES[0])[0]
        noise = np.random.default_rng(0).normal(238, 2, (240, 230, 3))
        glass, source = np.clip(noise, 215, 255).astype(np.uint8), "the synthetic demo"
    large = _mirrored(glass, side, side)
    inner, start = round(side / 3**0.5), round(side * (1 - 1 / 3**0.5) / 2)
    large[start : start + inner, start : start + inner] = _mirrored(np.roll(tissue, 97 * number, 1), inner, inner)
    write_slide(path, large, quality=80)
    return source


def _mirrored(pixels, height, width):
    pixels = np.concatenate([pixels, pixels[:, ::-1]], 1)
    pixels = np.concatenate([pixels, pixels[::-1]])
    times = -(-height // pixels.shape[0]), -(-width // pixels.shape[1])
    return np.ascontiguousarray(np.tile(pixels, (*times, 1))[:height, :width])


def make_study(folder, slides, weights, precision, threads):
    """Write a study of these slides as test rows; its training rows are small images that nothing is made of here."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    rows = []
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 200, (400, 400, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"small-{number}.png")
        rows.append(f"small-{number}\tsmall-{number}.png\t{'ab'[number % 2]}\tp-{number}\ttrain")
    rows += [f"{path.stem}\t{path}\t\t{path.stem}\ttest" for path in slides]
    (folder / "sheet.tsv").write_text("slide\tpath\tlabel\tpatient\tsplit\n" + "\n".join(rows) + "\n")
    encoder = {**SPEC, "weights": str(weights)}
    tiling = {"patch_size": 336, "overlap": 0.25, "white_above": 200}
    config = {
        "threads": threads,
        "features": {"cnn": {"tiling": tiling, "encoder": encoder, "precision": precision}},
        "classification": {
            "sheet": "sheet.tsv",
            "positive": "a",
            "folds": 2,
            "methods": {"svm": {"features": ["cnn"], "keep": [100], "C": [1]}},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def ours(folder, threads):
    """Return the seconds of the run, and of each of its rules."""
    target = "results/features/cnn/batch-3.tsv"  # of test rows
    command = [sys.executable, "-m", "slidecaf.cli", "run", str(folder), target, "--cores", str(threads)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    stages = {}
    for path in (folder / "results/benchmarks").rglob("*.tsv"):
        rule = path.relative_to(folder / "results/benchmarks").parts[0]
        stages[rule] = stages.get(rule, 0) + float(path.read_text().split("\n")[1].split("\t")[0])
    return taken, stages


def loop(slides, weights, threads):
    """Return the seconds of the plain loop, and its patches."""
    start = time.perf_counter()
    command = [sys.executable, "-c", LOOP, str(weights), str(threads), *map(str, slides)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, sum(map(int, done.stdout.split()))


def patches_of(folder):
    """Count the patches of a study."""
    import h5py

    counted = 0
    for path in (folder / "results/features/cnn").glob("*.h5"):
        with h5py.File(path) as file:
            counted += len(file["features"])
    return counted


def main():
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slides", type=int, nargs="+", default=[1])
    parser.add_argument("--precisions", nargs="+", default=["fp32"])
    parser.add_argument("--full", action="store_true", help="1 and 8 slides, in fp32 and precision: auto")
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder for slides and studies, used again")
    arguments = parser.parse_args()
    if arguments.full:
        arguments.slides, arguments.precisions = [1, 8], ["fp32", "auto"]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        top = arguments.keep or Path(temporary)
        top.mkdir(parents=True, exist_ok=True)
        weights, study = top / "alexnet.pth", top / "study"
        if not weights.exists():
            torch.save(load_encoder(SPEC).model.state_dict(), weights)
        paths = [top / f"slide-{number}.tiff" for number in range(max(arguments.slides))]
        for number, path in enumerate(paths):
            if not path.exists():
                print(f"{path.name} made of {make_slide(path, arguments.side, number)}", flush=True)
        os.sync()
        for path in paths:
            path.read_bytes()  # so that both find it in memory
        for count in arguments.slides:
            ratios = {precision: [] for precision in arguments.precisions}
            for _ in range(arguments.repeats):
                theirs, there = loop(paths[:count], weights, arguments.threads)
                print(f"{count} slides: the loop {theirs:.1f} s, {there / theirs:.1f} patches a second", flush=True)
                for precision in arguments.precisions:
                    make_study(study, paths[:count], weights, precision, arguments.threads)
                    taken, stages = ours(study, arguments.threads)
                    here = patches_of(study)
                    ratios[precision].append((here / taken) / (there / theirs))
                    said = ", ".join(f"{rule} {seconds:.1f}" for rule, seconds in sorted(stages.items()))
                    print(
                        f"{count} slides: slidecaf {precision} {taken:.1f} s, {here / taken:.1f} patches a second of "
                        f"{here}, {ratios[precision][-1]:.2f} x ({said})",
                        flush=True,
                    )
            for precision, values in ratios.items():
                stage = f"slidecaf run, {count} slide{'s' * (count > 1)} of {arguments.side} px, AlexNet, {precision}"
                rows.append(Row(stage, "a plain loop, patches a second", values, GOALS.get((count, precision))))
    report(*rows)


main()
