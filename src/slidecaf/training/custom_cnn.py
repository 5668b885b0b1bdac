"""The convolutional network of Menkovski et al. 2015 ("Can pretrained neural networks detect anatomy?", Table 2).

The table gives layers and sizes. Where it is silent: convolutions are padded by 1, so that they keep a map's size;
pooling is not; every batch normalisation is followed by a leaky ReLU of slope 0.01 (He et al. 2015, whom the paper
cites); convolutions and dense layers have no bias, which the normalisation behind them would take away; half the values
are dropped. So 128 px become 63, 31, 15 and 7, and 7 x 7 x 128 values meet the first dense layer.
"""

from collections import OrderedDict

from torch import nn

INPUT_SIZE = 128
"""Px of the paper's images."""

CONVOLUTIONS = ((32, 16), (64, 32), (128, 128, 64), (256, 256, 128))
"""Channels of 3 x 3 convolutions, each block followed by a maximum over 3 x 3 at steps of 2."""

DENSE = (256, 256)
"""Neurons."""

SLOPE, DROPPED = 0.01, 0.5

LEAST_SIZE = 31
"""Px below which nothing would be left after the last pooling."""


def custom_cnn(classes: int, *, channels: int = 3, input_size: int = INPUT_SIZE) -> nn.Sequential:
    """Build the network.

    Parameters
    ----------
    classes : int
        Outputs; the paper's are 24.
    channels : int, optional
        3 of colour, 1 of grey.
    input_size : int, optional
        The side of the images in px, from `LEAST_SIZE`.

    Returns
    -------
    torch.nn.Sequential
        It takes images, shape (n, channels, input_size, input_size), and gives the softmax's inputs, shape
        (n, classes).

    Examples
    --------
    >>> sum(tensor.numel() for tensor in custom_cnn(24).parameters())
    3003928
    """
    layers, width, side = [], channels, input_size
    for block, sizes in enumerate(CONVOLUTIONS, 1):
        for number, size in enumerate(sizes, 1):
            layers.append((f"conv{block}_{number}", _normalised(nn.Conv2d(width, size, 3, padding=1, bias=False))))
            width = size
        layers.append((f"pool{block}", nn.MaxPool2d(3, 2)))
        side = (side - 3) // 2 + 1
    layers += [("dropout", nn.Dropout(DROPPED)), ("flatten", nn.Flatten())]
    width *= side**2
    for number, size in enumerate(DENSE, 1):
        dense = _normalised(nn.Linear(width, size, bias=False))
        dense.append(nn.Dropout(DROPPED))
        layers.append((f"dense{number}", dense))
        width = size
    layers.append(("output", nn.Linear(width, classes)))
    return nn.Sequential(OrderedDict(layers))


def _normalised(layer):
    """Return a layer with batch normalisation and a leaky ReLU behind it."""
    norm = nn.BatchNorm2d(layer.out_channels) if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d(layer.out_features)
    return nn.Sequential(layer, norm, nn.LeakyReLU(SLOPE))
