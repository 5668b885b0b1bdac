"""Encoders run fully convolutionally over a region: all its patches at once, sharing their work.

A layer with a spatial map, which an encoder averages, is computed once for the region, and each patch takes the mean of
its own box of it. AlexNet's and VGG's fully connected layers become convolutions over the map of their last pooling,
which then moves by one place instead of two.
"""

from functools import partial
from math import gcd

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.convolved import first_linear, for_maps, has_flat_classifier, kernel_of

FARTHEST = 1024
"""Px from a place of the map within which all pixels must lie that it depends on."""

PROBE_HEIGHT, PROBE_STEP = 128, 512
"""Px of the images on which a network is tried out."""


class DenseEncoder:
    """An encoder that takes a region instead of patches.

    Parameters
    ----------
    encoder : slidecaf.features.networks.encoder.Encoder
        Of one layer.

    Attributes
    ----------
    dimension, input_size : int
    device : torch.device
    total_stride : int
        Px of the enlarged region from one place of the map to the next.
    before, after : int
        Px of the enlarged region to the left of (above) a place's px and to the right of it on which it may depend.
    span : int
        Places of the map that a patch consists of, along one side, before any step.
    layer_bytes : float
        Bytes of the largest layer's output, for one px of the enlarged region.

    Raises
    ------
    SlidecafError
        If the encoder has several outputs, or its layer is no map of a network that sees a bounded neighbourhood, nor
        a fully connected layer of AlexNet or VGG.
    """

    def __init__(self, encoder):
        if not isinstance(encoder.layer, str):
            raise SlidecafError("extraction: dense gives one output; write a layer in place of outputs, or patchwise.")
        self._encoder = encoder
        self.dimension, self.input_size, self.device = encoder.dimension, encoder.input_size, encoder.device
        self._mean = (255 * torch.tensor(encoder.mean)).view(1, 3, 1, 1).to(self.device)
        self._scale = (1 / (255 * torch.tensor(encoder.std))).view(1, 3, 1, 1).to(self.device)
        name, _, index = encoder.layer.partition(".")
        if name == "classifier" and has_flat_classifier(encoder.model):
            self._make_connected(int(index) if index else len(encoder.model.classifier) - 1)
        else:
            self._trunk, self._connected = encoder.run, None
            for module in encoder.model.modules() if self.device.type == "cpu" else ():
                if isinstance(module, nn.Conv2d) and _sees_one_place(module):
                    module.forward = partial(_by_rows, module)
            with encoder.arithmetic():
                self.span = self._map_of(torch.zeros(1, 3, self.input_size, self.input_size)).shape[-1]
        self.total_stride, self.before, self.after = self._reach()
        self.layer_bytes = self._largest_layer()
        # from here on regions come, which measure the same within a slide only
        self._trunk = encoder.compiled(self._trunk, dynamic=True)

    def check_stride(self, patch_size, stride):
        """Return how many places of the map a stride is.

        Parameters
        ----------
        patch_size, stride : int
            Px of the tiling.

        Returns
        -------
        int

        Raises
        ------
        SlidecafError
            If patches do not land on places of the map; it lists the strides that work.
        """
        enlarged = patch_size * self.total_stride
        if stride * self.input_size % enlarged == 0:
            return stride * self.input_size // enlarged
        least = enlarged // gcd(enlarged, self.input_size)
        works = [str(k) for k in range(least, patch_size + 1, least)]
        advice = f"write one of {', '.join(works[:8])}" if works else "no stride up to patch_size works"
        raise SlidecafError(
            f"tiling.stride: with extraction: dense a stride of {stride} px, {stride * self.input_size / patch_size:g} "
            f"px of the enlarged slide, is no multiple of the network's {self.total_stride} px; {advice}, another "
            "patch_size, or extraction: patchwise."
        )

    def __call__(self, region, *, step, first, rows, columns):
        """Compute the features of a grid of patches.

        Parameters
        ----------
        region : torch.Tensor of uint8, shape (1, 3, h, w)
            RGB, enlarged so that a patch measures `input_size` px.
        step : int
            Places of the map from one patch to the next.
        first : int
            The place, in both directions, at which the first patch begins; px before it are context.
        rows, columns : int
            How many patches.

        Returns
        -------
        torch.Tensor of float32, shape (rows, columns, D)
            On the encoder's device.
        """
        height, width = ((count - 1) * step + self.span for count in (rows, columns))
        return self.pool(self.places(region, first=first, rows=height, columns=width), step=step)

    def places(self, region, *, first, rows, columns):
        """Compute a part of the map, of which `pool` makes features.

        Parameters
        ----------
        region : torch.Tensor of uint8, shape (1, 3, h, w)
            As `__call__` takes it.
        first : int
            The first place, in both directions; px before it are context.
        rows, columns : int
            How many places.

        Returns
        -------
        torch.Tensor, shape (1, K, rows, columns)
            Of the encoder's type, on its device, channels last in memory.
        """
        x = region.to(self.device, torch.float32).sub_(self._mean).mul_(self._scale)
        with self._encoder.arithmetic():
            return self._map_of(x)[:, :, first : first + rows, first : first + columns]

    def pool(self, places, *, step):
        """Make features of all patches that a part of the map holds.

        Parameters
        ----------
        places : torch.Tensor, shape (1, K, (rows - 1) step + span, (columns - 1) step + span)
            From `places`, of one region or put together.
        step : int
            Places from one patch to the next.

        Returns
        -------
        torch.Tensor of float32, shape (rows, columns, D)
        """
        with self._encoder.arithmetic():
            if self._connected is None:
                places = functional.avg_pool2d(places.float(), (self.span, 1), (step, 1))
                places = functional.avg_pool2d(places, (1, self.span), (1, step))
                return places[0].permute(1, 2, 0)
            kernel, bias, dilation, rest = self._connected
            places = functional.conv2d(places, kernel, bias, stride=step, dilation=dilation)
            return rest(places)[0].permute(1, 2, 0).float()

    def _map_of(self, x):
        output = self._trunk(x.to(self.device, self._encoder.dtype, memory_format=torch.channels_last))
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            raise self._refusal("gives no spatial map")
        return output

    def _refusal(self, why):
        return SlidecafError(
            f"extraction: dense cannot run {type(self._encoder.model).__name__}, whose layer {self._encoder.layer!r} "
            f"{why}; write extraction: patchwise, or take a convolutional layer."
        )

    def _make_connected(self, index):
        """Turn AlexNet's or VGG's layers after the map into convolutions."""
        model = self._encoder.model
        *convolutions, pool = model.features
        dilation = pool.stride
        self._trunk = nn.Sequential(*convolutions, nn.MaxPool2d(pool.kernel_size, 1, pool.padding))
        with self._encoder.arithmetic():
            empty = torch.zeros(1, 3, self.input_size, self.input_size)
            side = model.features(empty.to(self.device, self._encoder.dtype)).shape[-1]
        if (side, side) != tuple(model.avgpool.output_size):
            raise self._refusal(
                f"follows a pooling that changes the map of {side} x {side} places at input_size "
                f"{self.input_size} (224 leaves it as it is)"
            )
        layers = list(model.classifier)[: index + 1]
        place = first_linear(layers)
        if place is None:
            raise self._refusal("comes before the first fully connected one")
        linear = layers[place]
        kernel = kernel_of(linear, side).contiguous(memory_format=torch.channels_last)
        rest = nn.Sequential(*(self._bare(layer) for layer in layers[place + 1 :]))
        self._connected = kernel, linear.bias.detach(), dilation, rest
        self.span = (side - 1) * dilation + 1

    def _bare(self, layer):
        """Return a layer for maps of what a layer for vectors is."""
        bare = for_maps(layer)
        if bare is None:
            raise self._refusal(f"follows a {type(layer).__name__}")
        if isinstance(bare, nn.Conv2d):
            bare.forward = partial(_by_rows, bare)
        return bare

    def _reach(self):
        """Return the total stride, and how far a place of the map sees, by trying which places a NaN reaches."""
        with self._encoder.arithmetic():
            for width in (1024, 2048, 4096):
                low, high, places = self._spoilt(width, width // 2)
                if low > 0 and high + 3 < places:  # room for three moves to the right
                    break
            else:
                raise self._refusal(f"sees more than {FARTHEST} px around, or the whole image")
            more = self._spoilt(width + PROBE_STEP, width // 2)[2] - places
            if more < 1:
                raise self._refusal("gives a map of one size, whatever the image's")
            stride, rest = divmod(PROBE_STEP, more)
            moved = [self._spoilt(width, width // 2 + k * stride)[:2] for k in (1, 2, 3)]
            left, right = self._to_the_next(width, low, high, stride)
        if rest or moved != [(low + k, high + k) for k in (1, 2, 3)]:
            raise self._refusal("does not move with the image")
        before, after = (high + 1) * stride - width // 2 - right, width // 2 - left - (low - 1) * stride
        if max(before, after) > FARTHEST:
            raise self._refusal(f"sees more than {FARTHEST} px around")
        return stride, before, after

    def _to_the_next(self, width, low, high, stride):
        """Return how many px left and right of the middle a column first reaches the next place: 1 to `stride`."""
        least, most = np.ones(2, int), np.full(2, stride)
        while (least < most).any():
            tried = (least + most) // 2
            # all columns so far, since a network may leave some out
            first, last, _ = self._spoilt(width, slice(width // 2 - tried[0], width // 2 + tried[1] + 1))
            further = np.array([first < low, last > high])
            least, most = np.where(further, least, tried + 1), np.where(further, tried, most)
        return most.tolist()

    def _largest_layer(self):
        """Return the bytes of the largest output of any layer, for one px of the image."""
        side = 256
        sizes = _Sizes(fx.symbolic_trace(self._trunk) if self._connected else self._encoder.network)
        x = torch.zeros(1, 3, side, side).to(self.device, self._encoder.dtype, memory_format=torch.channels_last)
        with self._encoder.arithmetic():
            sizes.run(x)
        connected = 4 * self._connected[0].shape[0] / self.total_stride**2 if self._connected else 0.0
        return max(connected, sizes.largest / side**2)

    def _spoilt(self, width, columns):
        """Return the first and last place of the map that columns of pixels reach, and all places of a row."""
        image = torch.zeros(1, 3, PROBE_HEIGHT, width)
        image[..., columns] = torch.nan
        try:
            # not by cuDNN, some of whose convolutions would carry the NaN farther than the network does
            with torch.backends.cudnn.flags(enabled=False):
                reached = torch.isnan(self._map_of(image)).any(dim=2).any(dim=1)[0]
        except (RuntimeError, AssertionError, ValueError) as error:
            raise self._refusal(f"takes patches of one size only ({str(error).splitlines()[0][:100]})") from error
        places = np.flatnonzero(reached.cpu().numpy())
        if not len(places):
            raise self._refusal("does not depend on its image")
        return int(places[0]), int(places[-1]), len(reached)


class _Sizes(fx.Interpreter):
    """Runs a network one operation after the other; `largest` is then the bytes of the largest output."""

    largest = 0

    def run_node(self, n):
        output = super().run_node(n)
        if n.op != "placeholder" and isinstance(output, torch.Tensor):
            self.largest = max(self.largest, output.nbytes)
        return output


def _sees_one_place(convolution):
    return (convolution.kernel_size, convolution.stride, convolution.padding) == (
        (1, 1),
        (1, 1),
        (0, 0),
    ) and convolution.groups == 1


def _by_rows(convolution, x):
    """Compute a convolution of single places, the map's rows as the images of a batch.

    For a batch torch takes oneDNN instead of a product of matrices, which is slower; rows lie like that already.
    """
    count, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(count * height, 1, width, channels).permute(0, 3, 1, 2)
    y = functional.conv2d(rows, convolution.weight, convolution.bias)
    return y.permute(0, 2, 3, 1).reshape(count, height, width, -1).permute(0, 3, 1, 2)
