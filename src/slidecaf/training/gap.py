"""Networks whose last map is averaged: VGG-GAP, and the same head on other convolutional networks of torchvision.

What a network has behind its convolutions is replaced by a 3 x 3 convolution of 1,024 channels in 2 groups, a ReLU, the
mean over places, dropout of one half and a linear layer (Zhou et al. 2016). In VGG and AlexNet the last pooling is left
out, as there. Padding is left out in the last two convolutions (Jia and Shen 2017): the one that is added, and the last
one of the network where that stands alone, as in VGG and AlexNet; elsewhere it is 1 x 1, or what it gives is added to
what it takes, and it stays as it is.
"""

from collections import OrderedDict

import torch
from torch import nn
from torchvision import models

from slidecaf.errors import SlidecafError

CHANNELS, GROUPS, DROPPED = 1024, 2, 0.5
"""Of the convolution that is added, and of the values that its means lose while the network learns."""

ADDED = "cam"
"""The layer that is added: no published weights have its values, so that it always learns."""

BEHIND = ("avgpool", "classifier", "fc")
"""Names of what torchvision's networks have behind their convolutions."""

KNOWN = (
    models.AlexNet,
    models.VGG,
    models.SqueezeNet,
    models.ResNet,
    models.DenseNet,
    models.MobileNetV2,
    models.MobileNetV3,
    models.MNASNet,
    models.ShuffleNetV2,
    models.EfficientNet,
    models.RegNet,
    models.ConvNeXt,
)
"""Networks that are their convolutions, one after another, and then what is `BEHIND`."""


class Averaged(nn.Sequential):
    """Convolutions, the convolution that is added, the mean over places, and the classes.

    Parameters
    ----------
    layers : OrderedDict of str to torch.nn.Module
    border : int
        Places at each side of the network's own last map that the averaged map lacks.

    Attributes
    ----------
    border : int
    """

    def __init__(self, layers, border):
        super().__init__(layers)
        self.border = border


def convolutions(name: str, model: nn.Module) -> OrderedDict:
    """Return what a network has before its classifier.

    Parameters
    ----------
    name : str
        Of the architecture, for the error.
    model : torch.nn.Module
        Of torchvision.

    Returns
    -------
    OrderedDict of str to torch.nn.Module
        Under the names that published weights have.

    Raises
    ------
    SlidecafError
        If the network is not one of convolutions.
    """
    if not isinstance(model, KNOWN):
        raise SlidecafError(
            f"head: {name} is not made of convolutions alone; write own, or an architecture such as vgg16, resnet50, "
            "densenet121, mobilenet_v2 or squeezenet1_1."
        )
    return OrderedDict((key, child) for key, child in model.named_children() if key not in BEHIND)


def averaged(name: str, model: nn.Module, classes: int) -> Averaged:
    """Replace what is behind a network's convolutions.

    Parameters
    ----------
    name : str
        Of the architecture, for the error.
    model : torch.nn.Module
        Of torchvision. Its convolutions are taken over and changed.
    classes : int

    Returns
    -------
    Averaged
        The layers that are added have whatever values PyTorch draws.

    Raises
    ------
    SlidecafError
        As `convolutions`.

    Examples
    --------
    >>> network = averaged("vgg16", models.vgg16(), 3).eval()
    >>> network.cam(network.features(torch.zeros(1, 3, 224, 224))).shape  # VGG's 14 x 14 places, less 2 at each side
    torch.Size([1, 1024, 10, 10])
    """
    layers, border = convolutions(name, model), 1
    if isinstance(model, models.AlexNet | models.VGG):
        layers["features"] = features = layers["features"][:-1]
        last = [layer for layer in features if isinstance(layer, nn.Conv2d)][-1]
        channels, border = last.out_channels, border + last.padding[0]
        last.padding = (0, 0)
    else:
        channels = _channels(model)
    if isinstance(model, models.DenseNet):  # its own pass has one that is no layer
        layers["relu"] = nn.ReLU(inplace=True)
    layers["cam"] = nn.Conv2d(channels, CHANNELS, 3, groups=GROUPS)
    layers["cam_relu"] = nn.ReLU(inplace=True)
    layers["average"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(DROPPED)
    layers["output"] = nn.Linear(CHANNELS, classes)
    return Averaged(layers, border)


def _channels(model):
    """Return how many channels the map has that is averaged: what the first layer behind it takes."""
    behind = nn.ModuleList(child for key, child in model.named_children() if key in BEHIND)
    first = next(layer for layer in behind.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    return first.in_channels if isinstance(first, nn.Conv2d) else first.in_features


def draw(model: Averaged, seed: int) -> None:
    """Draw the values of the convolution that is added; its biases are zero.

    Parameters
    ----------
    model : Averaged
    seed : int
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        nn.init.kaiming_normal_(model.cam.weight, nonlinearity="relu", generator=generator)
        model.cam.bias.zero_()
