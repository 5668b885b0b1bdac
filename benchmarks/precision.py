"""bfloat16 against fp32: the same encoder on the same patches, patchwise, in batches, one core each.

A CPU that has no instructions for it is slower in bfloat16, and `precision: auto` takes fp32 there. One with
AVX512-BF16 alone multiplies twice as fast, one with AMX more; SqueezeNet's small convolutions are bound by memory on
both. Goals are what both kinds hold.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import torch
from rows import Row, in_turn, report

from slidecaf.features.extraction.allocation import keep_freed_memory
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.networks.precision import choose_precision

SPECS = [
    {"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224},
    {"model": "vgg16", "layer": "classifier.4", "weights": "random:0", "input_size": 224},
    {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 224},
]
BATCH, REPEATS = 16, 2
GOALS = {"alexnet": 1.9, "vgg16": 1.8, "squeezenet1_0": 1.4}


def main():
    """Measure and report."""
    if not any("bf16" in flag for flag in flags()):
        print("this CPU has no instructions for bfloat16; nothing was measured.")
        return
    keep_freed_memory()
    threads, rows = os.cpu_count(), []
    torch.set_num_threads(1)
    patches = torch.randint(0, 256, (BATCH, 3, 224, 224), dtype=torch.uint8)
    for spec in SPECS:
        encoders = [load_encoder(spec, precision=precision) for precision in ("bf16", "fp32")]

        def run(encoder):
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(encoder, [patches] * threads))

        bf16, fp32 = (encoder(patches).double() for encoder in encoders)
        near = torch.nn.functional.cosine_similarity(bf16, fp32).median().item()
        ratios = in_turn(lambda: run(encoders[0]), lambda: run(encoders[1]), repeats=REPEATS)  # noqa: B023
        print(f"{spec['model']}: cosine of both features {near:.5f}; auto takes {choose_precision(spec)}", flush=True)
        rows.append(Row(f"bfloat16, {spec['model']} {spec['layer']}", "fp32", ratios, GOALS[spec["model"]]))
    report(*rows)


def flags():
    """Return what the CPU says it can do."""
    with open("/proc/cpuinfo") as file:
        return next((line.split() for line in file if line.startswith("flags")), [])


sys.exit(main())
