"""What is trained: the custom network, one of torchvision's or of attention, from scratch or fine-tuned."""

import torch
from torch import nn

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import models
from slidecaf.features.networks.attention import Attention
from slidecaf.features.networks.encoder import MEAN, STD
from slidecaf.features.networks.layers import Trace
from slidecaf.features.networks.weights import download_state, draw_weights, load_state, torchvision_weights
from slidecaf.features.networks.weights_file import read_state
from slidecaf.study.names import is_weights_file
from slidecaf.training import gap
from slidecaf.training.augment import seed_of
from slidecaf.training.custom_cnn import INPUT_SIZE, LEAST_SIZE, custom_cnn

CUSTOM = "custom-cnn"

USUAL_SIZE = 224
"""Px of torchvision's networks."""

UNTRAINED = ("googlenet", "inception_v3", "overfeat-fast")
"""Networks that give several outputs while they are trained, or normalise images otherwise."""

BEGINS_WITH = {"arl-50": "resnet50"}
"""Networks that may begin with the published weights of another one, which has all their tensors but alpha."""

HEAD_DEVIATION = 0.01
"""Of the values of a new output."""


class Network(nn.Module):
    """A network with its normalisation: images in, the softmax's inputs out.

    Parameters
    ----------
    model : torch.nn.Module
        Takes normalised images.
    grey : bool
    input_size : int
        The side of the images, in px.
    frozen : sequence of torch.nn.Module, optional
        Parts of the model that do not learn, nor do their batch normalisations.

    Attributes
    ----------
    model : torch.nn.Module
    input_size : int
    """

    def __init__(self, model, *, grey, input_size, frozen=()):
        super().__init__()
        self.model, self.input_size, self._frozen = model, input_size, list(frozen)
        mean, std = (
            (torch.tensor(values).mean(0, keepdim=True) if grey else torch.tensor(values)) for values in (MEAN, STD)
        )
        self.register_buffer("mean", 255 * mean[:, None, None], persistent=False)
        self.register_buffer("scale", 1 / (255 * std[:, None, None]), persistent=False)
        for part in self._frozen:
            part.requires_grad_(False)

    def forward(self, images):
        """Run the network.

        Parameters
        ----------
        images : torch.Tensor of uint8, shape (n, c, input_size, input_size)

        Returns
        -------
        torch.Tensor of float32, shape (n, K)
        """
        x = (images.to(torch.float32) - self.mean) * self.scale
        return self.model(x.contiguous(memory_format=torch.channels_last)).float()

    def train(self, mode=True):
        """Set what behaves otherwise while it learns; parts that do not learn stay as they are."""
        super().train(mode)
        for part in self._frozen:
            part.train(False)
        return self


def input_size_of(settings) -> int:
    """Return the side of the images that a network sees, in px.

    Parameters
    ----------
    settings : slidecaf.study.config.ClassificationNetwork

    Returns
    -------
    int
    """
    return settings.input_size or (INPUT_SIZE if settings.architecture == CUSTOM else USUAL_SIZE)


def published(architecture: str) -> str:
    """Return the network of torchvision whose published weights training may begin with.

    Parameters
    ----------
    architecture : str

    Returns
    -------
    str

    Examples
    --------
    >>> published("arl-50"), published("mobilenet_v2")
    ('resnet50', 'mobilenet_v2')
    """
    return BEGINS_WITH.get(architecture, architecture)


def build_network(settings, classes: int, *, seed: int | str = 0) -> Network:
    """Build a network as training begins.

    Parameters
    ----------
    settings : slidecaf.study.config.ClassificationNetwork
    classes : int
    seed : int, optional
        Of what is drawn: all values from scratch, those of the output of a network with weights.

    Returns
    -------
    Network
        On the CPU.

    Raises
    ------
    SlidecafError
        If architecture or weights cannot be had, the weights are another network's, or the network does not take
        images of this size.
    """
    size, own = input_size_of(settings), settings.architecture == CUSTOM
    model, averages = _of_meta(settings, classes, size), settings.head == "gap"
    head = _head_of(settings.architecture, model)
    if settings.weights is None:
        drawn = seed_of(seed, "weights")
        if own:
            model.to_empty(device="cpu")
            _reset_norms(model)
            draw_weights(model, drawn)
        else:
            model = models.build_random(settings.architecture, drawn)
    else:
        _put_weights(model, head, settings)
    if averages:
        model, head = gap.averaged(settings.architecture, model, classes), "output"
        gap.draw(model, seed_of(seed, "cam"))
    if not (own and settings.weights is None):
        _replace_head(model, head, classes, seed_of(seed, "head"))
    network = Network(model, grey=settings.grey, input_size=size, frozen=_frozen(model, head, settings.tuned_blocks))
    return _checked(network, settings, classes).to(memory_format=torch.channels_last)


def empty_network(settings, classes: int) -> Network:
    """Build a network without values, for a state dict of one that was trained.

    Parameters
    ----------
    settings : slidecaf.study.config.ClassificationNetwork
    classes : int

    Returns
    -------
    Network
        On the CPU; its values are whatever was in memory.
    """
    size = input_size_of(settings)
    model = _of_meta(settings, classes, size)
    if settings.head == "gap":
        with torch.device("meta"):
            model = gap.averaged(settings.architecture, model, classes)
    elif settings.architecture != CUSTOM:
        _replace_head(model, _head_of(settings.architecture, model), classes, 0)
    network = Network(model.to_empty(device="cpu"), grey=settings.grey, input_size=size)
    return network.to(memory_format=torch.channels_last)


def _of_meta(settings, classes, size):
    name = settings.architecture
    if name == CUSTOM:
        if size < LEAST_SIZE:
            raise SlidecafError(
                f"input_size: of {size} px nothing is left after four poolings; write {LEAST_SIZE} px or more."
            )
        with torch.device("meta"):
            return custom_cnn(classes, channels=1 if settings.grey else 3, input_size=size)
    models.check_model(name)
    if name in UNTRAINED:
        raise SlidecafError(
            f"architecture: {name} is not trained here; write {CUSTOM} or another network of torchvision."
        )
    return models.build(name)


def _reset_norms(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.reset_parameters()


def _head_of(name, model):
    """Return the name of the layer whose outputs are the classes: the last one."""
    layers = [key for key, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not layers:
        raise SlidecafError(f"architecture: {name} has no layer whose outputs are classes; write another network.")
    return layers[-1]


def _replace_head(model, name, classes, seed):
    old, generator = model.get_submodule(name), torch.Generator().manual_seed(seed)
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, classes)
    else:
        new = nn.Conv2d(old.in_channels, classes, old.kernel_size, old.stride, old.padding)
    with torch.no_grad():
        new.weight.normal_(0, HEAD_DEVIATION, generator=generator)
        new.bias.zero_()
    model.set_submodule(name, new)


def _put_weights(model, head, settings):
    name, weights = settings.architecture, settings.weights
    if is_weights_file(weights):
        state, source = read_state(weights), weights
    elif name == CUSTOM:
        raise SlidecafError(
            f"weights: there are no published ones of {CUSTOM}, and so no {weights!r}; write a path, or null."
        )
    else:
        named = torchvision_weights(published(name), weights)
        state, source = download_state(named), str(named)
    every = frozenset(name for name, _ in model.named_modules())
    used = {key for key in model.state_dict() if not key.startswith(f"{head}.")}
    if not _has_attention(state):
        used -= _start_attention(model)
    if settings.head == "gap":
        kept = tuple(f"{layer}." for layer in gap.convolutions(name, model))
        used = {key for key in used if key.startswith(kept)}
    load_state(model, state, source, Trace(None, every, frozenset(used)))


def _has_attention(state):
    """Tell whether a state dict, or one of those in it, is of a network that has learned attention."""
    return any(
        _has_attention(value) if isinstance(value, dict) else key.endswith(".attention.alpha")
        for key, value in state.items()
    )


def _start_attention(model):
    """Give the attention of all blocks the values that training begins with, and return their tensors' names."""
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, Attention)}
    for module in blocks.values():
        module.to_empty(device="cpu").reset_parameters()
    return {f"{name}.alpha" for name in blocks}


def _frozen(model, head, tuned):
    """Return the parts that do not learn: all with values, but for the last so many and the output."""
    if tuned is None:
        return []
    parts = []
    for name, child in model.named_children():
        within = child.named_children() if isinstance(child, nn.Sequential) else [("", child)]
        parts += [(f"{name}.{key}".rstrip("."), part) for key, part in within if any(True for _ in part.parameters())]
    parts = [part for name, part in parts if name not in (head, gap.ADDED) and not head.startswith(f"{name}.")]
    if tuned > len(parts):
        raise SlidecafError(
            f"tuned_blocks: {type(model).__name__} has {len(parts)} blocks beside its output and not {tuned}; "
            f"write {len(parts)} or fewer, or null."
        )
    return parts[: len(parts) - tuned]


def _checked(network, settings, classes):
    """Make sure that a network takes its images and gives the classes."""
    network.eval()
    size, channels = network.input_size, 1 if settings.grey else 3
    try:
        with torch.inference_mode():
            given = network(torch.zeros(1, channels, size, size, dtype=torch.uint8))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).split("\n")[0][:200]
        raise SlidecafError(
            f"input_size: {settings.architecture} does not take images of {size} px ({reason}); write the size it was "
            "made for, often 224."
        ) from error
    if given.shape != (1, classes):
        raise SlidecafError(f"architecture: {settings.architecture} has no output of its own; write another network.")
    return network
