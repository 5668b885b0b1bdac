"""Attention residual learning (Zhang et al., IEEE TMI 2019), and the networks that it is compared with there.

A residual block of He et al. gives ``relu(x + F(x))``. A block of attention residual learning gives
``relu(x + F(x) + alpha * softmax(F(x)) * x)``: the softmax runs over the places of each channel alone, so that what the
block has found says where in its input to look, and no layer is added. Where the block makes the map smaller or deeper,
x is what its shortcut makes of it, as in the sum. Each block learns an ``alpha`` of its own.

All are torchvision's ResNet with other blocks. Those of 14 layers have one block in each of the four stages; their
names of layers, and those of the 50 layers, are ResNet's own.
"""

import torch
from torch import nn
from torch.nn.functional import interpolate
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.ops import SqueezeExcitation

ALPHA = 0.001
"""Of every block before it has learned."""

REDUCTION = 16
"""Channels for one in the narrow layer of squeeze and excitation (Hu et al., CVPR 2018)."""

SHALLOW, DEEP = (1, 1, 1, 1), (3, 4, 6, 3)
"""Blocks of each stage, with 14 and with 50 layers."""

POOLINGS = (3, 2, 1)
"""By stage: of 224 px the mask's smallest map has 7 x 7 places in each of them, as in Wang et al., CVPR 2017."""


class Attention(nn.Module):
    """Where a block looks: a weight for each place and channel of its input.

    Attributes
    ----------
    alpha : torch.nn.Parameter
        A number.

    Examples
    --------
    >>> found = torch.tensor([[[[0.0, 0.0], [0.0, torch.log(torch.tensor(5.0))]]]])
    >>> (Attention()(found) / ALPHA).detach()
    tensor([[[[0.1250, 0.1250],
              [0.1250, 0.6250]]]])
    """

    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self):
        """Set `alpha` to what training begins with."""
        nn.init.constant_(self.alpha, ALPHA)

    def forward(self, found):
        """Return ``alpha`` times the softmax over the places of each channel.

        Parameters
        ----------
        found : torch.Tensor, shape (n, c, rows, columns)
            F(x).

        Returns
        -------
        torch.Tensor, shape (n, c, rows, columns)
            The places of a channel add up to ``alpha``.
        """
        wide = found.float()  # the logarithm of thousands of places would lose its digits in 16 bit
        share = torch.exp(wide - torch.logsumexp(wide, (2, 3), keepdim=True))
        return self.alpha * share.to(found.dtype)


class _Residual(Bottleneck):
    """torchvision's block, with F(x) and the shortcut's x in the hands of `joined`."""

    def forward(self, x):
        found = self.relu(self.bn1(self.conv1(x)))
        found = self.relu(self.bn2(self.conv2(found)))
        found = self.bn3(self.conv3(found))
        return self.relu(self.joined(found, x if self.downsample is None else self.downsample(x)))


class AttentionBlock(_Residual):
    """A block of attention residual learning."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.attention = Attention()

    def joined(self, found, x):
        """Return x + F(x) + alpha softmax(F(x)) x."""
        return found + x + self.attention(found) * x


class SqueezeBlock(_Residual):
    """A block of squeeze and excitation: each channel of F(x) is weighted by all channels' means."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        width = self.conv3.out_channels
        self.squeeze = SqueezeExcitation(width, width // REDUCTION)

    def joined(self, found, x):
        """Return x + s(F(x)) F(x)."""
        return self.squeeze(found) + x


class MaskedStage(nn.Module):
    """The attention module of a residual attention network (Wang et al., CVPR 2017): (1 + M(x)) x, M from 0 to 1.

    Parameters
    ----------
    channels : int
    poolings : int
        How often the mask's map is halved before its residual block; afterwards it is enlarged to what it was.
    """

    def __init__(self, channels, poolings):
        super().__init__()
        self.down = nn.Sequential(*(nn.MaxPool2d(3, 2, padding=1) for _ in range(poolings)))
        self.block = Bottleneck(channels, channels // Bottleneck.expansion)
        self.mask = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        """Return x, at each place and channel once to twice as large."""
        seen = interpolate(self.block(self.down(x)), size=x.shape[2:], mode="bilinear", align_corners=False)
        return (1 + self.mask(seen)) * x


def arl_14() -> ResNet:
    """Build ARL-CNN14."""
    return ResNet(AttentionBlock, SHALLOW)


def arl_50() -> ResNet:
    """Build ARL-CNN50: torchvision's ``resnet50`` with a number more a block."""
    return ResNet(AttentionBlock, DEEP)


def resnet_14() -> ResNet:
    """Build ResNet14."""
    return ResNet(Bottleneck, SHALLOW)


def senet_14() -> ResNet:
    """Build SENet14."""
    return ResNet(SqueezeBlock, SHALLOW)


def ran_14() -> ResNet:
    """Build RAN14: ResNet14 with a module of attention at the end of each of its first three stages."""
    model = ResNet(Bottleneck, SHALLOW)
    for stage, poolings in zip((model.layer1, model.layer2, model.layer3), POOLINGS, strict=True):
        stage.append(MaskedStage(stage[-1].conv3.out_channels, poolings))
    return model


NETWORKS = {"arl-14": arl_14, "arl-50": arl_50, "resnet-14": resnet_14, "senet-14": senet_14, "ran-14": ran_14}
"""By what a config calls them."""
