"""The custom network is the one of Menkovski et al. 2015, Table 2."""

import torch
from torch import nn

from slidecaf.training.custom_cnn import custom_cnn

TABLE = """
ConvLayer + BN 32
ConvLayer + BN 16
MaxPoolLayer
ConvLayer + BN 64
ConvLayer + BN 32
MaxPoolLayer
ConvLayer + BN 128
ConvLayer + BN 128
ConvLayer + BN 64
MaxPoolLayer
ConvLayer + BN 256
ConvLayer + BN 256
ConvLayer + BN 128
MaxPoolLayer + Dropout
DenseLayer + BN + Dropout 256
DenseLayer + BN + Dropout 256
Softmax 24
"""


def lines_of(network):
    """Write a network's layers as the table does."""
    lines = []
    for name, part in network.named_children():
        kinds = [type(layer).__name__ for layer in (part if isinstance(part, nn.Sequential) else [part])]
        if name.startswith("conv"):
            assert kinds == ["Conv2d", "BatchNorm2d", "LeakyReLU"]
            assert part[0].kernel_size == (3, 3)
            lines.append(f"ConvLayer + BN {part[0].out_channels}")
        elif name.startswith("pool"):
            assert (part.kernel_size, part.stride) == (3, 2)
            lines.append("MaxPoolLayer")
        elif name == "dropout":
            lines[-1] += " + Dropout"
        elif name.startswith("dense"):
            assert kinds == ["Linear", "BatchNorm1d", "LeakyReLU", "Dropout"]
            lines.append(f"DenseLayer + BN + Dropout {part[0].out_features}")
        elif name == "output":
            lines.append(f"Softmax {part.out_features}")
    return lines


def test_layers_are_those_of_the_table():
    assert lines_of(custom_cnn(24)) == TABLE.strip().splitlines()


def test_sizes_of_maps_and_numbers_of_values_are_those_that_the_docstring_says():
    network, sides = custom_cnn(24).eval(), []
    x = torch.zeros(1, 3, 128, 128)
    for name, part in network.named_children():
        x = part(x)
        if name.startswith("pool"):
            sides.append(tuple(x.shape[1:]))
    assert sides == [(16, 63, 63), (32, 31, 31), (64, 15, 15), (128, 7, 7)]
    assert x.shape == (1, 24)
    widths = [
        (3, 32),
        (32, 16),
        (16, 64),
        (64, 32),
        (32, 128),
        (128, 128),
        (128, 64),
        (64, 256),
        (256, 256),
        (256, 128),
    ]
    convolutions = sum(9 * before * after + 2 * after for before, after in widths)
    dense = sum(before * after + 2 * after for before, after in ((7 * 7 * 128, 256), (256, 256)))
    assert sum(one.numel() for one in network.parameters()) == convolutions + dense + 257 * 24


def test_it_takes_grey_images_and_other_sizes():
    for side in (31, 64):
        assert custom_cnn(2, channels=1, input_size=side).eval()(torch.zeros(3, 1, side, side)).shape == (3, 2)
