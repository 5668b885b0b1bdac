"""Whole images against the bare network: what reading and decoding JPEGs of 224 px cost.

Both sides run in one process, in turn, on the same cores: the extraction of a collection (open, decode, resize,
normalise, network, float16), start-up left out; and the same network on tensors that lie ready in memory, as many
images in the same batches, each worker on a core of its own. A second ratio is to the network as torch runs it by
default, all cores on one batch. The images are the chest X-rays where ../shared/data is there, otherwise noise.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rows import Row, report

from slidecaf.features import source
from slidecaf.features.extraction.slide import Extraction

CLAIMS = {"mobilenet_v2": ("features", 0.9), "squeezenet1_0": ("features", 0.75)}
SIDE, BATCH = 224, 32


def make_images(folder, count):
    """Return JPEGs of 224 px, and what they are."""
    real = Path(__file__).resolve().parents[2] / "shared" / "data" / "collections" / "chest_xray"
    found = sorted(path for path in real.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if len(found) >= count:
        return found[:count], "chest X-rays"
    paths, generator = [], np.random.default_rng(0)
    for k in range(count):
        small = Image.fromarray(generator.integers(0, 256, (28, 28, 3), np.uint8))
        paths.append(folder / f"{k}.jpg")
        small.resize((SIDE, SIDE)).save(paths[-1], quality=90)
    return paths, "noise"


def extract(extraction, images):
    """Return the seconds that an extraction takes."""
    begun = time.perf_counter()
    count = sum(features is not None for _, features, _ in extraction.extract_whole(images))
    assert count == len(images)
    return time.perf_counter() - begun


def bare(extraction, count, threads):
    """Return the seconds of the same network on pixels that lie ready, workers side by side and by default."""
    encoder, batches = extraction.encoder, count // BATCH
    pixels = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8).contiguous(
        memory_format=torch.channels_last
    )
    normalised = (pixels.float() / 255 - 0.45) / 0.225
    times = []
    for workers, each in ((threads, 1), (1, threads)):
        torch.set_num_threads(each)
        with ThreadPoolExecutor(workers) as pool:

            def forward(_):
                with torch.inference_mode():
                    return encoder.run(normalised)

            begun = time.perf_counter()
            list(pool.map(forward, range(batches)))
            times.append(time.perf_counter() - begun)
    torch.set_num_threads(1)
    return times


def main():
    """Measure, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=256, help="a multiple of 64")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count()))
    chosen, rows = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as folder:
        paths, what = make_images(Path(folder), chosen.images)
        images = [source.Image(path.stem, path, None, "") for path in paths]
        for model, (layer, goal) in CLAIMS.items():
            settings = {
                "encoder": {"model": model, "layer": layer, "weights": "random:0", "input_size": SIDE},
                "image": {"fit": "stretch"},
                "batch_size": BATCH,
            }
            ratios, by_default, seconds = [], [], []
            with Extraction(settings, "fp32", threads=chosen.threads, max_unreadable=0.0) as extraction:
                extract(extraction, images[: 2 * BATCH]), bare(extraction, 2 * BATCH, chosen.threads)  # fills caches
                for _ in range(chosen.repeats):
                    before = bare(extraction, chosen.images, chosen.threads)
                    seconds.append(extract(extraction, images))
                    after = bare(extraction, chosen.images, chosen.threads)
                    own = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
                    ratios.append(own[0] / seconds[-1])
                    by_default.append(own[1] / seconds[-1])
            name = f"whole images of 224 px ({what}), {model} {layer}"
            rows.append(Row(name, "the bare network, a core a worker", ratios, goal=goal))
            rows.append(Row(name, "the bare network as torch runs it by default", by_default))
            print(f"{model}: {np.median(len(images) / np.array(seconds)):.1f} images a second")
    report(*rows)


if __name__ == "__main__":
    main()
