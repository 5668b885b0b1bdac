"""Which number format is faster on this machine."""

import time

import torch

from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.outputs import side_by_side
from slidecaf.logs import logger

FASTER = 1.2
"""How many times as fast bf16 must be to be worth its digits."""

PATCHES, REPEATS = 16, 3


def choose_precision(spec, *, device="cpu"):
    """Time an encoder in fp32 and in bf16, and take bf16 where it is clearly faster.

    Parameters
    ----------
    spec : mapping
        As for `load_encoder`.
    device : str or torch.device, optional

    Returns
    -------
    {"fp32", "bf16"}
        What runs faster here may not do so elsewhere, and features differ in their last digits.
    """
    encoders = {precision: load_encoder(spec, device=device, precision=precision) for precision in ("fp32", "bf16")}
    side = encoders["fp32"].input_size
    patches = torch.zeros(PATCHES, 3, side, side, dtype=torch.uint8)
    taken = {precision: [] for precision in encoders}
    for _ in range(REPEATS + 1):  # the first fills caches; the least of the others counts
        for precision, encoder in encoders.items():
            start = time.perf_counter()
            side_by_side(encoder(patches)).sum().item()
            taken[precision].append(time.perf_counter() - start)
    ratio = min(taken["fp32"][1:]) / min(taken["bf16"][1:])
    chosen = "bf16" if ratio >= FASTER else "fp32"
    logger.info("precision: auto takes %s: bf16 is %.2f times as fast as fp32 here", chosen, ratio)
    return chosen
