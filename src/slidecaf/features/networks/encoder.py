"""The registry of encoders: any torchvision classification model, cut at any of its layers."""

import contextlib
import difflib
from functools import cached_property

import torch

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import weights as weights_of
from slidecaf.features.networks.models import models
from slidecaf.study.names import is_weights_file

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation by channel, on a scale of 0 to 1."""


class _ReachedError(Exception):
    """Carries a layer's output out of the network: what follows the layer is never computed."""

    def __init__(self, output):
        self.output = output


class Encoder:
    """A network up to one of its layers: patches in, one vector a patch out.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    layer : str
        The name of a submodule; its output is the feature vector, a spatial map of it averaged.
    input_size : int
        The side of the patches that the network sees, in px.
    device : str or torch.device, optional
    precision : {"fp32", "bf16", "fp16"}, optional
        Number format of the network's arithmetic; features come out as fp32 in any case.

    Attributes
    ----------
    model : torch.nn.Module
    layer : str
    input_size : int
    device : torch.device
    dtype : torch.dtype
        Of the weights, and of what the network takes.
    dimension : int
        D, the length of a patch's vector.

    Raises
    ------
    SlidecafError
        If there is no such layer, the network does not take patches of this size, or the layer's output is no
        vector or map.
    """

    def __init__(self, model, layer, *, input_size=224, device="cpu", precision="fp32"):
        self.device = torch.device(device)
        self.layer, self.input_size, self.precision = layer, input_size, precision
        if precision == "fp16" and self.device.type == "cpu":
            raise SlidecafError("precision: fp16 needs a CUDA device and there is none; write fp32 or bf16.")
        # Swin's stages keep channels last; every other map in torchvision has them second.
        self._channels_last_output = type(model).__name__ == "SwinTransformer" and layer.startswith(
            ("features", "norm")
        )
        self.model, self.dtype = model, torch.float32
        if precision == "bf16" and self.device.type == "cpu":  # autocast would convert the weights for every batch
            self.sha256  # noqa: B018  of the weights as they were given
            self.dtype = torch.bfloat16
        # channels_last is how oneDNN and cuDNN like to run convolutions: 1.5 times as fast on CPUs.
        model.to(self.device, self.dtype, memory_format=torch.channels_last)
        names = [name for name, _ in model.named_modules() if name]
        if layer not in names:
            near = difflib.get_close_matches(layer, names, n=5, cutoff=0.3) or names[-5:]
            raise SlidecafError(f"layer: {type(model).__name__} has no {layer!r}; near names: {', '.join(near)}.")
        model.get_submodule(layer).register_forward_hook(_leave)
        # As large as a patch: broadcasting over three channels that lie innermost is ten times as slow.
        self._mean = self._plane(255 * torch.tensor(MEAN))
        self._scale = self._plane(1 / (255 * torch.tensor(STD)))
        try:
            probe = self(torch.zeros(1, 3, input_size, input_size, dtype=torch.uint8))
        except (RuntimeError, AssertionError, ValueError) as error:
            reason = str(error).split("\n")[0][:200]
            raise SlidecafError(
                f"input_size: {type(model).__name__} does not take patches of {input_size} px ({reason}); write "
                "the size it was made for, often 224."
            ) from error
        self.dimension = probe.shape[1]

    def __call__(self, patches):
        """Compute features.

        Parameters
        ----------
        patches : torch.Tensor of uint8, shape (n, 3, input_size, input_size)
            RGB; on any device.

        Returns
        -------
        torch.Tensor of float32, shape (n, D)
            On the encoder's device.
        """
        patches = patches.to(self.device, non_blocking=True)
        x = patches.to(torch.float32, memory_format=torch.channels_last).sub_(self._mean).mul_(self._scale)
        with self.arithmetic():
            return self._flatten(self.run(x.to(self.dtype))).float()

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
        """The digest of the weights, 64 hexadecimal digits."""
        return weights_of.weights_sha256(self.model)

    def _plane(self, values):
        plane = values.view(1, 3, 1, 1).expand(1, 3, self.input_size, self.input_size)
        return plane.to(self.device).contiguous(memory_format=torch.channels_last)

    def run(self, x):
        """Run the network as far as the layer.

        Parameters
        ----------
        x : torch.Tensor of `dtype`, shape (n, 3, h, w)
            Normalised.

        Returns
        -------
        torch.Tensor
            The layer's output as it is.

        Raises
        ------
        SlidecafError
            If the network does not use the layer.
        """
        try:
            self.model(x)
        except _ReachedError as reached:
            return reached.output
        raise SlidecafError(f"layer: {self.layer!r} is not used when the network runs; write another layer.")

    def _flatten(self, output):
        if not isinstance(output, torch.Tensor) or not 2 <= output.ndim <= 4:
            raise SlidecafError(
                f"layer: {self.layer!r} gives no vector and no map; write a layer with one tensor as its output."
            )
        if output.ndim == 4:
            return output.float().mean((1, 2) if self._channels_last_output else (2, 3))
        return output.float().mean(1) if output.ndim == 3 else output  # a transformer's tokens are averaged


def _leave(module, inputs, output):
    raise _ReachedError(output)


def load_encoder(spec, *, device="cpu", precision="fp32"):
    """Build the encoder that a config describes.

    Parameters
    ----------
    spec : mapping
        ``model`` (a torchvision classification model), ``layer``, ``weights`` (a torchvision weights name, a
        path, or ``random:SEED``) and ``input_size`` in px.
    device : str or torch.device, optional
    precision : {"fp32", "bf16", "fp16"}, optional

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
    """
    name, weights = spec["model"], spec["weights"]
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.4) or known
        raise SlidecafError(f"model: torchvision has no classification model {name!r}; write one of {', '.join(near)}.")
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if weights.startswith("random:"):
        seed = int(weights.removeprefix("random:"))
        # what draw_weights leaves alone (a transformer's attention and tokens) is torchvision's, by the same seed
        with torch.random.fork_rng(devices=[]), weights_of.left_undrawn():
            torch.manual_seed(seed)
            model = models.get_model(name, weights=None, **options)
        weights_of.draw_weights(model, seed)
    else:
        if is_weights_file(weights):
            state, source = weights_of.read_state(weights), weights
        else:
            named = weights_of.torchvision_weights(name, weights)
            state, source = weights_of.download_state(named), str(named)
        # torchvision's weights of these two were trained on another normalisation, which the model itself undoes.
        options |= {"transform_input": True} if name in ("googlenet", "inception_v3") else {}
        with weights_of.left_undrawn():
            model = models.get_model(name, weights=None, **options)
        weights_of.load_state(model, state, source)
    return Encoder(model.eval(), spec["layer"], input_size=spec["input_size"], device=device, precision=precision)
