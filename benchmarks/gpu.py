"""What a GPU gives: one command, made for nine minutes, no network, nothing but the installed packages.

    make bench-gpu            # or: python benchmarks/gpu.py [--json FILE]

For AlexNet, VGG-19, ResNet-50 and ViT-L/16 with random weights, in fp32, bf16 and fp16: the bare network on patches
that lie ready on the card, in the batch that is fastest, as patches a second and as a share of what the card multiplies
matrices with in the same run; and the whole extraction (read, resize, copy, network, back) from a pyramid, as patches a
second and as a share of the bare network (`of_network`): that is how far the card is used, by its own measure and
without a further package. Then what reading alone does on one core and on all, and how many cores it takes to feed the
card; the batch that `batch_size: auto` would take; extraction into a features file; a network that torch compiles;
dense extraction at stride 8 of AlexNet and SqueezeNet, into features, judged by NumPy and judged on the card by a
1 x 1 convolution; networks that are trained here, images a second of the bare network and of the loop with its
augmentation; peak memory; and whether CPU and GPU agree: features, and the predictions of a small study that both run.
Left-out SVMs are fitted on synthetic rows, on the card and by NumPy; the largest, 2.3 million of 4,096 values, are
rolled copies of some and are left out where memory does not hold them. What does not fit into the time is left out too,
and all that is left out is named.

`--dry` does the same on a CPU with little of everything, to see that it runs.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from slidecaf import demo
from slidecaf.demo import SLIDES, draw_slide, write_slide
from slidecaf.features.extraction import dense, patchwise
from slidecaf.features.extraction.linear import Linear
from slidecaf.features.extraction.memory import CardMemory, fitting
from slidecaf.features.extraction.pipeline import Pipeline
from slidecaf.features.file import write_features
from slidecaf.features.networks import models
from slidecaf.features.networks.encoder import Encoder, load_encoder
from slidecaf.segmentation.maps import ConfidenceWriter, JudgedWriter
from slidecaf.segmentation.solver.squared_hinge import TOLERANCE, fit_squared_hinge
from slidecaf.slides import open_slide
from slidecaf.study.config import ClassificationNetwork
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling
from slidecaf.training.checkpoint import Checkpoint
from slidecaf.training.examples import Whole
from slidecaf.training.loop import arithmetic, train
from slidecaf.training.networks import build_network

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "slides" / "cmu-1-small-region.svs"
NETWORKS = {
    "alexnet": "classifier.5",
    "resnet50": "avgpool",
    "vgg19": "classifier.4",
    "vit_l_16": "encoder",
}
COMPILED = "resnet50"
"""Of the networks the one that is compiled, if it is among those that are measured."""

TRAINED = ("custom-cnn", "resnet-14")
DENSE = {"alexnet": "classifier.5", "squeezenet1_0": "features"}
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PATCHES = Tiling(patch_size=336, stride=252, white_above=200)
DENSELY = Tiling(patch_size=112, stride=8, edge="cover")
AGREE = 2e-2
"""How far features of 16 bit may be from those of the CPU, as a share of the largest."""

GAIN = 1.05
"""By how much a batch of twice the size must be faster to be worth its memory."""


@dataclass
class Sizes:
    """How much of everything is done."""

    side: int = 8000
    dense_side: int = 2048
    matrix: int = 8192
    seconds: float = 1.0
    most: int = 1024
    agree: int = 64
    rows: tuple = (20_000, 200_000)
    largest: int = 2_300_000
    values: int = 4096
    patients: int = 4
    images: int = 2048
    batch: int = 64


DRY = Sizes(
    side=1400,
    dense_side=160,
    matrix=256,
    seconds=0.05,
    most=8,
    agree=4,
    rows=(300, 600),
    largest=1500,
    values=16,
    patients=0,
    images=4,
    batch=2,
)


class Discard:
    """A writer that throws features away: what is measured is the card and what feeds it."""

    def __init__(self):
        self.written, self.nonzero = 0, 0

    def append(self, features, valid):
        """Count rows."""
        self.written += len(features)

    def write(self, start, features, valid):
        """Count rows."""
        self.written += len(features)


@dataclass
class Bench:
    """The run: its device, sizes, time, and rows found so far."""

    device: torch.device
    sizes: Sizes
    threads: int
    end: float
    models: list
    rows: list = field(default_factory=list)
    left_out: list = field(default_factory=list)

    def say(self, **row):
        """Keep a row and print it."""
        self.rows.append(row)
        print("  ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{value}" for key, value in row.items()))
        sys.stdout.flush()

    def in_time(self, name):
        """Tell whether there is time for another row; what there is none for is named at the end."""
        if time.monotonic() < self.end:
            return True
        self.left_out.append(name)
        return False

    def wait(self):
        """Wait for the card."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def rate(self, call):
        """Return calls a second, after one that does not count."""
        call()
        self.wait()
        start, calls = time.perf_counter(), 0
        while time.perf_counter() - start < self.sizes.seconds:
            for _ in range(4):
                call()
            calls += 4
            self.wait()
        return calls / (time.perf_counter() - start)

    @contextlib.contextmanager
    def peak(self, row):
        """Note the peak of the card's memory over a block, in GiB."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        yield
        if self.device.type == "cuda":
            row["peak_gib"] = torch.cuda.max_memory_allocated(self.device) / 2**30


def formats(device):
    """Return the number formats that a device has."""
    return [name for name in FORMATS if device.type == "cuda" or name != "fp16"]


def matrices(bench):
    """Measure what the card multiplies matrices with; return operations a second by format."""
    found, size = {}, bench.sizes.matrix
    for name in formats(bench.device):
        a, b = (torch.randn(size, size, device=bench.device).to(FORMATS[name]) for _ in range(2))
        found[name] = 2 * size**3 * bench.rate(lambda a=a, b=b: a @ b)
        bench.say(what="matrices", precision=name, tflops=found[name] / 1e12)
    return found


def spec_of(model, size=224):
    """Return an encoder of the config."""
    layer = {**NETWORKS, **DENSE}[model]
    return {"model": model, "layer": layer, "weights": "random:0", "input_size": size}


def operations(encoder):
    """Return the floating-point operations of one patch."""
    patch = torch.zeros(1, 3, encoder.input_size, encoder.input_size, dtype=torch.uint8, device=encoder.device)
    with FlopCounterMode(display=False) as counter:
        encoder(patch)
    return counter.get_total_flops()


def fastest(bench, encoder):
    """Return patches a second of the bare network, and the batch, doubled as long as that pays and fits."""
    best, chosen, batch = 0.0, 8, 8
    while batch <= bench.sizes.most:
        try:
            shape = batch, 3, encoder.input_size, encoder.input_size
            patches = torch.zeros(shape, dtype=torch.uint8, device=bench.device)
            rate = batch * bench.rate(lambda patches=patches: encoder(patches))
        except torch.OutOfMemoryError:
            break
        if rate < GAIN * best:
            break
        best, chosen, batch = rate, batch, 2 * batch
    return best, chosen


def extraction(bench, encoder, path, coords, batch, *, file=None):
    """Return patches a second of the whole extraction, without start-up; into a features file where one is named."""

    def run():
        written = {"coords_attributes": {}, "attributes": {}}
        into = write_features(file, coords, encoder.dimension, **written) if file else contextlib.nullcontext(Discard())
        with open_slide(path) as slide, into as writer:
            patchwise.extract(
                slide,
                coords,
                encoder,
                writer,
                patch_size=PATCHES.patch_size,
                patch_size_level0=PATCHES.patch_size,
                batch_size=batch,
                threads=bench.threads,
                max_unreadable=0,
                advance=lambda count: None,
            )
        return writer.written

    run()
    start = time.perf_counter()
    return run() / (time.perf_counter() - start)


def patchwise_rows(bench, path, most):
    """Measure networks in every format, bare and as a whole."""
    with open_slide(path) as slide:
        coords = tile(slide, PATCHES, threads=bench.threads).coords
    alone = {}
    for model in bench.models:
        for precision in formats(bench.device):
            if not bench.in_time(f"{model} {precision}"):
                continue
            row = {"what": "patchwise", "model": model, "precision": precision}
            with bench.peak(row):
                encoder = load_encoder(spec_of(model), device=bench.device, precision=precision)
                bare, batch = fastest(bench, encoder)
                row |= {"batch": batch, "network": bare, "of_matrices": bare * operations(encoder) / most[precision]}
                row["extraction"] = extraction(bench, encoder, path, coords, batch)
                row["of_network"] = row["extraction"] / bare
                if bench.device.type == "cuda":
                    row["auto_batch"] = fitting(encoder, CardMemory(bench.device))
                if model == bench.models[0]:
                    row["into_a_file"] = extraction(bench, encoder, path, coords, batch, file=path.with_suffix(".h5"))
            alone[model, precision] = bare
            bench.say(**row)
    return alone


def compiled_rows(bench):
    """Measure a network that torch compiles beside the same as it is; a dry run takes none of torch's backends."""
    model = COMPILED if COMPILED in bench.models else bench.models[0]
    options = {} if bench.device.type == "cuda" else {"backend": "eager"}
    for precision in formats(bench.device):
        if not bench.in_time(f"{model} compiled, {precision}"):
            continue
        row = {"what": "compiled", "model": model, "precision": precision}
        spec = spec_of(model)
        how = {"input_size": spec["input_size"], "device": bench.device, "precision": precision}
        encoder = Encoder(
            models.build_random(model, 0), spec["layer"], compiler=partial(torch.compile, **options), **how
        )
        batch = min(128, bench.sizes.most)
        patches = torch.zeros((batch, 3, encoder.input_size, encoder.input_size), dtype=torch.uint8)
        patches = patches.to(bench.device)
        start = time.perf_counter()
        encoder(patches)
        bench.wait()
        row |= {"batch": batch, "seconds_to_compile": time.perf_counter() - start}
        row["network"] = batch * bench.rate(lambda e=encoder, p=patches: e(p))
        row["as_it_is"] = batch * bench.rate(lambda e=encoder, p=patches: e.as_it_is(p))
        bench.say(**row)


def training_rows(bench, folder):
    """Measure networks that are trained here: steps on images that lie on the card, and the loop as it is."""
    count, batch = bench.sizes.images, bench.sizes.batch
    labels = [k % 2 for k in range(count)]
    for architecture in TRAINED:
        for precision in ("fp32", "bf16"):
            if not bench.in_time(f"training {architecture} {precision}"):
                continue
            row = {"what": "training", "model": architecture, "precision": precision, "batch": batch}
            given = {"kind": "network", "architecture": architecture, "precision": precision}
            settings = ClassificationNetwork.model_validate({**given, "epochs": 1, "batch_size": batch})
            with bench.peak(row):
                network = build_network(settings, 2).to(bench.device).train()
                side = network.input_size
                squares = torch.randint(0, 256, (min(count, batch), 3, side, side), dtype=torch.uint8)
                images, truth = squares[:batch].to(bench.device), torch.tensor(labels[:batch], device=bench.device)
                optimiser = torch.optim.SGD(network.parameters(), 1e-4)

                def step(network=network, images=images, truth=truth, optimiser=optimiser, precision=precision):
                    optimiser.zero_grad(set_to_none=True)
                    with arithmetic(bench.device, precision):
                        loss = torch.nn.functional.cross_entropy(network(images), truth)
                    loss.backward()
                    optimiser.step()

                row["network"] = len(images) * bench.rate(step)
                larger = torch.nn.functional.pad(squares, (0, side // 4, 0, side // 4))
                copies = larger.repeat(ceil(count / len(larger)), 1, 1, 1)[:count]
                examples = Whole(copies, [f"image-{k}" for k in range(count)], labels, [False] * count)
                kept = Checkpoint(folder / f"{architecture}-{precision}", "bench")
                how = {"classes": 2, "settings": settings, "seed": 0, "checkpoint": kept, "device": bench.device}
                start = time.perf_counter()
                train(partial(build_network, settings, 2), examples, **how)
                row["loop"] = count / (time.perf_counter() - start)
            bench.say(**row)


def reading_rows(bench, path, alone):
    """Measure reading and resizing without a network, and how many cores would feed each."""
    with open_slide(path) as slide:
        coords = tile(slide, PATCHES, threads=bench.threads).coords
    bands = patchwise.plan_bands(coords, PATCHES.patch_size, 32)
    batches = [coords[rows] for band in bands for rows in band]
    torch.set_num_threads(1)
    rates = {}
    from concurrent.futures import ThreadPoolExecutor

    for threads in sorted({1, bench.threads}):
        with open_slide(path) as slide, ThreadPoolExecutor(threads) as pool:
            size = PATCHES.patch_size
            reader = patchwise.PatchReader(slide, patch_size=size, patch_size_level0=size, input_size=224)
            start = time.perf_counter()
            count = sum(len(patches) for patches, *_ in pool.map(reader, batches))
            rates[threads] = count / (time.perf_counter() - start)
        bench.say(what="reading", threads=threads, patches=rates[threads], a_core=rates[threads] / threads)
    for (model, precision), rate in alone.items():
        bench.say(what="cores to feed", model=model, precision=precision, cores=ceil(rate / rates[1]))


def dense_rows(bench, folder):
    """Measure dense extraction, into features and fused with an SVM."""
    path = folder / "dense.tiff"
    write_slide(path, np.ascontiguousarray(picture()[: bench.sizes.dense_side, : bench.sizes.dense_side]))
    for model in DENSE:
        for precision in formats(bench.device):
            if not bench.in_time(f"dense {model} {precision}"):
                continue
            encoder = load_encoder(spec_of(model), device=bench.device, precision=precision)
            with open_slide(path) as slide:
                coords = tile(slide, DENSELY).coords
            coef = np.random.default_rng(0).normal(0, 0.1, (1, encoder.dimension))
            sizes = dict.fromkeys(("stride", "stride_level0"), DENSELY.stride) | {"patch_size": DENSELY.patch_size}
            for how in ("features", "judged by NumPy", "judged on the card"):
                row = {"what": "dense", "model": model, "precision": precision, "how": how}
                head = Linear(coef, np.zeros(1), bench.device) if how == "judged on the card" else None
                with bench.peak(row), open_slide(path) as slide:
                    for _ in range(2):  # the first fills caches
                        kind = JudgedWriter if head else ConfidenceWriter
                        writer = Discard() if how == "features" else kind(len(coords), coef, np.zeros(1))
                        start = time.perf_counter()
                        with Pipeline(bench.threads, bench.device, head=head) as pipeline:
                            write = dense.begin(slide, coords, encoder, pipeline, **sizes)
                            write(writer, max_unreadable=0, advance=lambda count: None)
                        row["patches"] = len(coords) / (time.perf_counter() - start)
                bench.say(**row)


def largest_rows(bench):
    """Fit left-out SVMs on as many rows as a study may have, where memory holds them; return whether within the gap."""
    count = bench.sizes.largest
    if not bench.in_time(f"SVMs of {count} rows"):
        return True
    needed, there = 2 * count * bench.sizes.values, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if 1.5 * needed > there:
        bench.left_out.append(f"SVMs of {count} rows, {needed / 2**30:.0f} GiB")
        return True
    return svm_rows(bench, (count,))


def rows_of(bench, count, rng):
    """Return synthetic rows; beyond the first 100,000, which take a second to draw, they are rolled copies."""
    drawn = min(count, bench.sizes.rows[0], 100_000)
    some = rng.gamma(1, 1, (drawn, bench.sizes.values)).astype(np.float16)
    matrix = np.empty((count, bench.sizes.values), np.float16)
    for k, start in enumerate(range(0, count, drawn)):
        end = min(count, start + drawn)
        matrix[start:end] = np.roll(some, 9 * k, axis=1)[: end - start]
    return matrix


def svm_rows(bench, counts):
    """Fit left-out SVMs on synthetic rows, a few of them by NumPy too; return whether all are within the gap."""
    good, rng = True, np.random.default_rng(0)
    for count in counts:
        if not bench.in_time(f"SVMs of {count} rows"):
            continue
        matrix = rows_of(bench, count, rng)
        labels = matrix[:, :8].sum(axis=1) + rng.normal(0, 2, count) > 8
        weights = rng.integers(0, 2, (4, count)).astype(np.float32)
        options = {"max_iter": 100, "memory": 8 * 2**30, "threads": bench.threads}
        for device in (str(bench.device), None)[: 2 if count == bench.sizes.rows[0] else 1]:
            row = {"what": "left-out SVMs, synthetic", "rows": count, "values": bench.sizes.values}
            row["by"] = device or f"NumPy, {bench.threads} cores"
            with bench.peak(row):
                start = time.perf_counter()
                found = fit_squared_hinge(matrix, labels, weights, [1e-4, 1e-2], device=device, **options)
                row["seconds"] = time.perf_counter() - start
            row["gap"] = max(solution.gap for problem in found for solution in problem)
            good &= row["gap"] <= TOLERANCE
            bench.say(**row)
    return good


def agreement_rows(bench, path):
    """Hold features of the card against the CPU's; return whether all agree."""
    with open_slide(path) as slide:
        size = PATCHES.patch_size
        coords = tile(slide, PATCHES).coords[: bench.sizes.agree]
        reader = patchwise.PatchReader(slide, patch_size=size, patch_size_level0=size, input_size=224)
        patches = torch.cat([reader(coords[i : i + 1])[0] for i in range(len(coords))])
    good = True
    for model in bench.models[:2]:
        with_cpu = load_encoder(spec_of(model))(patches)
        for precision in formats(bench.device):
            found = load_encoder(spec_of(model), device=bench.device, precision=precision)(patches).cpu()
            apart = float((found - with_cpu).abs().max() / with_cpu.abs().max())
            good &= apart <= AGREE
            bench.say(what="features and the CPU's", model=model, precision=precision, apart=apart, at_most=AGREE)
    return good


def study_rows(bench, folder):
    """Run a small study on the card and on the CPU; return whether predictions are equal. A dry run has no card."""
    said = []
    for device in (bench.device.type, "cpu"):
        study = folder / f"study-{device}-{len(said)}"
        demo.make_mini(study, patients=bench.sizes.patients)
        encoder = {**spec_of("alexnet"), "weights": "random:0"}
        methods = {"svm": {"features": ["cnn"], "keep": [50, 100], "C": [0.1, 1]}}
        config = {
            "features": {"cnn": {"tiling": {"patch_size": 224, "overlap": 0.25}, "encoder": encoder}},
            "classification": {"sheet": "classification.tsv", "positive": "GBM", "folds": 2, "methods": methods},
        }
        (study / "config.yaml").write_text(json.dumps(config))
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
        command = [sys.executable, "-m", "slidecaf.cli", "run", str(study), "--cores", str(bench.threads)]
        start = time.perf_counter()
        done = subprocess.run(command, env=os.environ | hidden, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        table = (study / "results/classification/svm/predictions.tsv").read_text().splitlines()
        column = table[0].split("\t").index("predicted")
        said.append([line.split("\t")[column] for line in table[1:]])
        bench.say(what="small study", device=device, seconds=time.perf_counter() - start, predictions=len(said[-1]))
    bench.say(what="predictions of both", equal=said[0] == said[1])
    return said[0] == said[1]


def picture():
    """Return the pixels of a real slide, or of the synthetic demo."""
    if REAL.is_file():
        with open_slide(REAL) as slide:
            return slide.read(0, 0, slide.width, slide.height)[500:]
    return draw_slide(SLIDES[0])[0]


def make_slide(folder, side):
    """Write a pyramid of mirrored copies of a picture."""
    pixels = picture()
    pixels = np.concatenate([pixels, pixels[:, ::-1]], 1)
    pixels = np.concatenate([pixels, pixels[::-1]])
    times = [-(-side // length) for length in pixels.shape[:2]]
    write_slide(folder / "slide.tiff", np.ascontiguousarray(np.tile(pixels, (*times, 1))[:side, :side]), quality=80)
    return folder / "slide.tiff"


def described(device, threads):
    """Return what the figures are of."""
    card = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return {
        "date": date.today().isoformat(),
        "card": f"{card.name}, {card.total_memory / 2**30:.0f} GiB" if card else "no GPU: a dry run on the CPU",
        "cores": threads,
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
    }


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where the rows are written")
    parser.add_argument("--dry", action="store_true", help="on a CPU, with little of everything")
    parser.add_argument("--minutes", type=float, default=7.0, help="after which no further row of a network is begun")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--models", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    if not torch.cuda.is_available() and not arguments.dry:
        sys.exit("there is no GPU that torch can use; --dry runs this on the CPU, with little of everything.")
    device = torch.device("cpu" if arguments.dry else "cuda:0")
    sizes = DRY if arguments.dry else Sizes()
    end = time.monotonic() + 60 * arguments.minutes
    bench = Bench(device, sizes, arguments.threads, end, arguments.models)
    about = described(device, arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in about.items()), flush=True)
    folder = Path(tempfile.mkdtemp())
    try:
        path = make_slide(folder, sizes.side)
        good = agreement_rows(bench, path)
        good &= not sizes.patients or study_rows(bench, folder)
        most = matrices(bench)
        good &= svm_rows(bench, sizes.rows)
        dense_rows(bench, folder)
        alone = patchwise_rows(bench, path, most)
        reading_rows(bench, path, alone)
        training_rows(bench, folder)
        good &= largest_rows(bench)
        compiled_rows(bench)
    finally:
        shutil.rmtree(folder)
    if bench.left_out:
        print(f"left out, as time was over: {', '.join(bench.left_out)}")
    if arguments.json:
        result = {**about, "rows": bench.rows, "left_out": bench.left_out}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if good else "CPU and GPU do not agree")


main()
