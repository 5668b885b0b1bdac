"""torchvision's classification models and a few of ours, built without values: on the meta device, which has shapes."""

import difflib

import torch
from torch import nn
from torchvision import models

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import attention, weights
from slidecaf.features.networks.overfeat import OverFeatFast

OWN = {"overfeat-fast": OverFeatFast, **attention.NETWORKS}
"""Networks that torchvision does not have."""

UNDRAWN = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, attention.Attention)
"""Layers that begin with the same values whatever the seed: norms with weight 1 and bias 0."""


def check_model(name):
    """Raise an error that lists near names where torchvision has no such model.

    Parameters
    ----------
    name : str

    Raises
    ------
    SlidecafError
    """
    known = [*models.list_models(module=models), *OWN]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.4) or known
        raise SlidecafError(f"model: torchvision has no classification model {name!r}; write one of {', '.join(near)}.")


def _made(name, **options):
    return OWN[name]() if name in OWN else models.get_model(name, weights=None, **options)


def build(name, **options):
    """Build a model for weights that are put in afterwards.

    Parameters
    ----------
    name : str
        As torchvision lists it, or of `OWN`.
    **options
        Of torchvision's builder.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, on the meta device.
    """
    if name.startswith("regnet_"):  # computes its widths with tensors, and so needs their values
        with torch.random.fork_rng(devices=[]), _LeftUndrawn():
            return _made(name).to("meta").eval()
    if name in ("googlenet", "inception_v3"):  # otherwise they warn that drawing weights is slow
        options = {"init_weights": False, **options}
    with torch.device("meta"):
        return _made(name, **options).eval()


def build_random(name, seed):
    """Build a model with random weights.

    Parameters
    ----------
    name : str
        As torchvision lists it, or of `OWN`.
    seed : int
        The same seed gives the same weights.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, on the CPU.
    """
    model = build(name)
    if all(isinstance(owner, weights.DRAWN + UNDRAWN) for owner in _owners(model)):
        model.to_empty(device="cpu")
        for module in model.modules():
            if isinstance(module, UNDRAWN):
                module.reset_parameters()
    else:  # a transformer's attention and tokens are torchvision's, by the same seed
        with torch.random.fork_rng(devices=[]), _LeftUndrawn():
            torch.manual_seed(seed)
            model = _made(name).eval()
    weights.draw_weights(model, seed)
    return model


def _owners(model):
    """Return the modules that hold tensors of their own."""
    return [m for m in model.modules() if [*m.parameters(recurse=False), *m.buffers(recurse=False)]]


class _LeftUndrawn(torch.overrides.TorchFunctionMode):
    """Layers keep what was in memory where they would draw their weights, which are drawn again afterwards.

    Besides saving that time, it leaves the generator to what a model draws for itself.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (nn.init.kaiming_uniform_, nn.init.uniform_):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))
