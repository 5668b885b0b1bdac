"""Encoders: any network of torchvision or timm as far as any of its layers, patches in and vectors out."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch._dynamo.exc import TorchDynamoException

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import models, timm_networks
from slidecaf.features.networks import weights as weights_of
from slidecaf.features.networks.convolved import convolved
from slidecaf.features.networks.layers import no_tensor, trace
from slidecaf.features.networks.weights_file import read_state
from slidecaf.study.names import is_timm, is_weights_file

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation by channel, on a scale of 0 to 1."""


@dataclass(frozen=True)
class Output:
    """One of several outputs of an encoder.

    Attributes
    ----------
    layer : str
        The name of a submodule.
    map : {"average", "max", "places"}
        What becomes of a spatial map, or of a transformer's tokens: over its places the mean or the largest value. With
        ``places`` each is a vector of its own, which `Encoder.places` gives; an encoder has then one output.
    """

    layer: str
    map: str = "average"

    def __post_init__(self):
        if self.map not in ("average", "max", "places"):
            raise SlidecafError(f"map: {self.map!r} is no way to make vectors of a map; write average, max or places.")


class Encoder:
    """A network up to one of its layers, or several: patches in, one vector a patch out.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    layer : str, Output, or mapping of str to Output
        The name of a submodule; its output is the feature vector, a spatial map of it averaged. Or names of several
        outputs, which one pass computes.
    input_size : int
        The side of the patches that the network sees, in px. Above the own size of AlexNet, VGG and OverFeat their
        fully connected layers run as convolutions, and give a map.
    device : str or torch.device, optional
    precision : {"fp32", "bf16", "fp16"}, optional
        Number format of the network's arithmetic; features come out as fp32 in any case.
    traced : slidecaf.features.networks.layers.Trace or slidecaf.features.networks.timm_networks.Run, optional
        Of the model, for these layers in this order; it is traced by default.
    mean, std : sequence of float, optional
        By which R, G and B are normalised, on a scale of 0 to 1: the model's own, or ImageNet's, by default.
    compiler : callable, optional
        What compiles the network, as `torch.compile` does; it runs as it is by default. It is compiled for every
        number of patches anew, so that calls should have one.

    Attributes
    ----------
    model : torch.nn.Module
        The whole, of which what lies behind the last layer does not run.
    network : torch.nn.Module
        What runs; it gives a list of the layers' outputs.
    layer : str, or mapping of str to Output
    input_size : int
    mean, std : tuple of float
        By which R, G and B are normalised, on a scale of 0 to 1.
    device : torch.device
    dtype : torch.dtype
        Of the weights, and of what the network takes.
    dimension : int, or dict of str to int
        D, the length of a patch's vector; of each with several outputs.
    compiles : bool
        Whether the network is compiled.

    Raises
    ------
    SlidecafError
        If there is no such layer, the network does not take patches of this size, or the layer's output is no
        vector or map.
    """

    def __init__(
        self,
        model,
        layer,
        *,
        input_size=224,
        device="cpu",
        precision="fp32",
        traced=None,
        mean=None,
        std=None,
        compiler=None,
    ):
        self.device = torch.device(device)
        self._outputs = outputs_of(layer)
        self.layer = layer.layer if isinstance(layer, Output) else layer
        self.input_size, self.precision = input_size, precision
        if precision == "fp16" and self.device.type == "cpu":
            raise SlidecafError("precision: fp16 needs a CUDA device and there is none; write fp32 or bf16.")
        if isinstance(layer, Mapping) and any(output.map == "places" for output in self._outputs.values()):
            raise SlidecafError("map: places gives many vectors an image and stands alone; write layer, not outputs.")
        layers = [output.layer for output in self._outputs.values()]
        traced = traced or trace(model, layers)
        self.model, self.dtype, self._tensors = model, torch.float32, traced.tensors
        self.mean, self.std = mean or getattr(model, "mean", MEAN), std or getattr(model, "std", STD)
        if precision == "bf16" and self.device.type == "cpu":  # autocast would convert the weights for every batch
            self.sha256  # noqa: B018  of the weights as they were given
            self.dtype = torch.bfloat16
        if larger := convolved(model, layers, input_size, self._blank):
            self.sha256  # noqa: B018  of the weights before they are reshaped
            self.network = trace(larger, layers).network(larger)
        else:
            self.network = traced.network(model)
        # channels_last is how oneDNN and cuDNN like to run convolutions: 1.5 times as fast on CPUs.
        self.network.to(self.device, self.dtype, memory_format=torch.channels_last)
        # As large as a patch: broadcasting over three channels that lie innermost is ten times as slow.
        self._mean = self._plane(255 * torch.tensor(self.mean))
        self._scale = self._plane(1 / (255 * torch.tensor(self.std)))
        self._compiler = compiler
        try:
            probe = self.as_it_is(torch.zeros(1, 3, input_size, input_size, dtype=torch.uint8))
        except (RuntimeError, AssertionError, ValueError) as error:
            reason = str(error).split("\n")[0][:200]
            raise SlidecafError(
                f"input_size: {type(model).__name__} does not take patches of {input_size} px ({reason}); write "
                "the size it was made for, often 224."
            ) from error
        several = isinstance(probe, dict)
        self.dimension = {name: len(one[0]) for name, one in probe.items()} if several else probe.shape[1]
        self._run_batch = self.compiled(self.network.forward, dynamic=False)

    @property
    def compiles(self):
        """Whether the network is compiled."""
        return self._compiler is not None

    def compiled(self, run, *, dynamic):
        """Return a part of the network compiled, where the encoder is to be compiled, or as it is.

        Parameters
        ----------
        run : callable
            Of one tensor.
        dynamic : bool
            Whether the tensor's shape changes from call to call.

        Returns
        -------
        callable
            It raises a `SlidecafError` where the part cannot be compiled, at the first call.
        """
        if not self.compiles:
            return run
        made = self._compiler(run, dynamic=dynamic)

        def call(x):
            try:
                return made(x)
            except TorchDynamoException as error:
                reason = str(error).strip().split("\n")[0][:200]
                raise SlidecafError(
                    f"compile: torch cannot compile {type(self.model).__name__} here ({reason}); leave compile out."
                ) from error

        return call

    def __call__(self, patches):
        """Compute features.

        Parameters
        ----------
        patches : torch.Tensor of uint8, shape (n, 3, input_size, input_size)
            RGB; on any device.

        Returns
        -------
        torch.Tensor of float32, shape (n, D), or dict of str to such a tensor
            On the encoder's device; a dict where the encoder was made with several outputs.
        """
        return self._features(patches, self._run_batch)

    def as_it_is(self, patches):
        """Compute features without what was compiled, as `__call__` does otherwise."""
        return self._features(patches, self._run)

    def _features(self, patches, run):
        patches = patches.to(self.device, non_blocking=True)
        x = patches.to(torch.float32, memory_format=torch.channels_last).sub_(self._mean).mul_(self._scale)
        with self.arithmetic():
            outputs = zip(self._outputs.items(), run(x.to(self.dtype)), strict=True)
            features = {name: self._flatten(output, given).float() for (name, output), given in outputs}
        return features if isinstance(self.layer, Mapping) else features[self.layer]

    def places(self, images):
        """Compute the map of the one layer.

        Parameters
        ----------
        images : torch.Tensor of uint8, shape (n, 3, h, w)
            RGB, of any size.

        Returns
        -------
        torch.Tensor of float32, shape (n, rows, columns, D)

        Raises
        ------
        SlidecafError
            If the layer gives no map, or the network takes no images of this size.
        """
        x = images.to(self.device, torch.float32, memory_format=torch.channels_last)
        for c in range(3):  # channels lie innermost: broadcasting over them is ten times as slow
            x[:, c].sub_(255 * self.mean[c]).mul_(1 / (255 * self.std[c]))
        try:
            with self.arithmetic():
                found = self.run(x.to(self.dtype))
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, AssertionError, ValueError) as error:
            raise SlidecafError(
                f"scales: {type(self.model).__name__} takes no image of {images.shape[3]} x {images.shape[2]} px "
                f"({str(error).splitlines()[0][:200]}); leave out the smallest scales."
            ) from error
        if not isinstance(found, torch.Tensor) or found.ndim != 4:
            raise SlidecafError(f"map: the output of {self.layer!r} has no places; write a convolutional layer.")
        return (found if self._channels_last(self.layer) else found.permute(0, 2, 3, 1)).float()

    @contextlib.contextmanager
    def arithmetic(self):
        """Compute in the number format of `precision`, without gradients, for the length of a block."""
        on_cpu = self.device.type == "cpu"
        dtype = None if on_cpu else {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        autocast = torch.autocast(self.device.type, dtype=dtype) if dtype else contextlib.nullcontext()
        with torch.inference_mode(), autocast:
            yield

    @cached_property
    def sha256(self):
        """The digest of the weights in use, 64 hexadecimal digits."""
        return weights_of.weights_sha256(self.model, self._tensors)

    def _blank(self, module):
        """Run a part of the network on a blank image."""
        with torch.inference_mode():
            return module(torch.zeros(1, 3, self.input_size, self.input_size))

    def _channels_last(self, layer):
        # Swin's stages keep channels last; every other map in torchvision has them second. timm says it of each.
        if getattr(self.model, "output_fmt", "") == "NHWC":
            return True
        return type(self.model).__name__ == "SwinTransformer" and layer.startswith(("features", "norm"))

    def _plane(self, values):
        plane = values.view(1, 3, 1, 1).expand(1, 3, self.input_size, self.input_size)
        return plane.to(self.device).contiguous(memory_format=torch.channels_last)

    def run(self, x):
        """Run the network as far as its one layer.

        Parameters
        ----------
        x : torch.Tensor of `dtype`, shape (n, 3, h, w)
            Normalised.

        Returns
        -------
        torch.Tensor
            The layer's output as it is.
        """
        (output,) = self._run(x)
        return output

    def _run(self, x):
        return self.network.forward(x)  # calling the network prints what an error says, which we say ourselves

    def _flatten(self, output, given):
        if not isinstance(given, torch.Tensor) or not 2 <= given.ndim <= 4:
            raise no_tensor(output.layer)
        if given.ndim == 2:
            return given
        places = 1  # a transformer's tokens
        if given.ndim == 4:
            places = (1, 2) if self._channels_last(output.layer) else (2, 3)
        return given.float().amax(places) if output.map == "max" else given.float().mean(places)


def outputs_of(layer):
    """Return the outputs by name: of a single layer one, named as the layer.

    Parameters
    ----------
    layer : str, Output, or mapping of str to Output

    Returns
    -------
    dict of str to Output
    """
    if isinstance(layer, Output):
        return {layer.layer: layer}
    return dict(layer) if isinstance(layer, Mapping) else {layer: Output(layer)}


def load_encoder(spec, *, device="cpu", precision="fp32", compiles=False):
    """Build the encoder that a config describes.

    Parameters
    ----------
    spec : mapping
        ``model`` (a torchvision classification model or ``overfeat-fast``), ``layer``, ``weights`` (a torchvision
        weights name, a path, or ``random:SEED``) and ``input_size`` in px; ``weights_sha256``, the digest that the
        weights in use have to have, where it is given. In place of ``layer`` it may have
        ``outputs``: names, each with a mapping of ``layer`` and, where it is not ``average``, ``map``. Beside ``layer``
        it may have ``map``. Of timm's networks, as for `slidecaf.features.networks.timm_networks.load`.
    device : str or torch.device, optional
    precision : {"fp32", "bf16", "fp16"}, optional
    compiles : bool, optional
        Whether torch compiles the network, on a GPU.

    Returns
    -------
    Encoder

    Raises
    ------
    SlidecafError
        If model, layer or weights cannot be had; the message says what to write instead.

    Notes
    -----
    The closest to the paper's network (section 3.1) is ``alexnet`` with ``layer: classifier.5``, the second-to-last
    fully connected layer after its ReLU: 4,096 values. torchvision's AlexNet has other widths and no response
    normalisation, and the paper's was trained on all of ImageNet.

    Examples
    --------
    >>> import torch
    >>> spec = {"model": "squeezenet1_0", "weights": "random:0", "input_size": 32}
    >>> encoder = load_encoder({**spec, "layer": "features"})
    >>> encoder(torch.zeros(4, 3, 32, 32, dtype=torch.uint8)).shape
    torch.Size([4, 512])

    Several outputs of one pass:

    >>> outputs = {"early": {"layer": "features.3"}, "late": {"layer": "features.12", "map": "max"}}
    >>> encoder = load_encoder({**spec, "outputs": outputs})
    >>> encoder.dimension
    {'early': 128, 'late': 512}
    """
    if compiles and torch.device(device).type != "cuda":
        raise SlidecafError("compile: true needs a CUDA device and there is none; leave compile out.")
    name, weights = spec["model"], spec["weights"]
    run = {"device": device, "precision": precision, "compiler": torch.compile if compiles else None}
    if not is_timm(name):
        models.check_model(name)
    layer = {key: Output(**given) for key, given in spec["outputs"].items()} if "outputs" in spec else spec["layer"]
    if spec.get("map", "average") != "average":
        layer = Output(layer, spec["map"])
    layers = [output.layer for output in outputs_of(layer).values()]
    if is_timm(name):
        found = timm_networks.load(spec, layers)
        how = {"input_size": found.input_size, "traced": found.traced, "mean": found.mean, "std": found.std}
        return _checked(Encoder(found.model, layer, **run, **how), spec)
    if weights.startswith("random:"):
        model = models.build_random(name, int(weights.removeprefix("random:")))
        traced = trace(model, layers)
    else:
        if is_weights_file(weights):
            state, source = read_state(weights), weights
        else:
            named = weights_of.torchvision_weights(name, weights)
            state, source = weights_of.download_state(named), str(named)
        # torchvision's weights of these two were trained on another normalisation, which the model itself undoes.
        options = {"transform_input": True} if name in ("googlenet", "inception_v3") else {}
        model = models.build(name, **options)
        traced = trace(model, layers)
        weights_of.load_state(model, state, source, traced)
    how = {"input_size": spec["input_size"], "traced": traced}
    return _checked(Encoder(model, layer, **run, **how), spec)


def _checked(encoder, spec):
    """Return an encoder, if its weights are those that the config asks for."""
    if (wanted := spec.get("weights_sha256")) and encoder.sha256 != wanted:
        raise SlidecafError(
            f"weights: those of {spec['weights']} have the digest {encoder.sha256}, and weights_sha256 is {wanted}; "
            "take the weights that it is of, or leave it out."
        )
    return encoder
