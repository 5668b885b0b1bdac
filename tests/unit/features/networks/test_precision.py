"""The faster number format is taken, and only where it is clearly faster."""

import time

import pytest
import torch

from slidecaf.features.networks import precision


@pytest.mark.parametrize(
    ("fp32", "bf16", "chosen"), [(0.02, 0.002, "bf16"), (0.01, 0.01, "fp32"), (0.002, 0.02, "fp32")]
)
def test_bf16_is_taken_where_it_is_clearly_faster(monkeypatch, fp32, bf16, chosen):
    class Encoder:
        def __init__(self, spec, *, device, precision):
            self.input_size, self.seconds = spec["input_size"], {"fp32": fp32, "bf16": bf16}[precision]

        def __call__(self, patches):
            time.sleep(self.seconds)
            return torch.zeros(len(patches), 3)

    monkeypatch.setattr(precision, "load_encoder", Encoder)
    assert precision.choose_precision({"input_size": 8}) == chosen
