"""Where a network sees a class: class activation maps, and Grad-CAM where a network has none.

Where a map f is averaged over its places and a linear layer makes the logits of that, the map of class c at a place is
M_c = sum over channels k of w_ck f_k (Zhou et al. 2016): its mean over all places and the layer's bias are the logit.
Any other network has its gradient in place of the weights: sum over k of a_ck f_k, a_ck the gradient of the logit,
summed over places, at the last convolutional map (Selvaraju et al. 2017). Negative values speak against the class and
are kept, so that of a network that averages its map both are the same.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from slidecaf.errors import SlidecafError

HANDING_ON = (nn.Sequential, nn.Dropout, nn.Dropout2d, nn.Identity)
"""Layers that only hand on what another one gives."""

POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)

SEEN_FIRST = 0
"""The seed of the noise that a network is shown to find its map."""


@dataclass(frozen=True)
class _Given:
    """What a layer gave, and at which of its calls."""

    name: str
    layer: nn.Module
    call: int
    value: torch.Tensor


class ActivationMaps:
    """The maps of a network's classes.

    Parameters
    ----------
    network : slidecaf.training.networks.Network
        It is set to judge, not to learn.

    Attributes
    ----------
    kind : {"cam", "grad-cam"}
        Which of the two its maps are.
    layer : str
        The layer whose map is weighted.
    border : int
        Places at each side of an image that the map lacks, where convolutions without padding took them.

    Raises
    ------
    SlidecafError
        If no layer of the network gives a map.
    """

    def __init__(self, network):
        self._network = network.eval()
        self._head_name, self._head = _head(network.model)
        given, pooled = self._seen_once()
        found = _averaged(given, pooled) if isinstance(self._head, nn.Linear) else None
        self.kind: Literal["cam", "grad-cam"] = "cam" if found else "grad-cam"
        found = found or _last_map(given)
        if found is None:
            raise SlidecafError(
                f"{type(network.model).__name__} has no map of places, and so none of its classes; take another "
                "architecture."
            )
        self.layer, self._call = found.name, found.call
        self.border = getattr(network.model, "border", 0)

    def __call__(self, images) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the maps of some images.

        Parameters
        ----------
        images : torch.Tensor of uint8, shape (n, c, input_size, input_size)
            On the network's device.

        Returns
        -------
        maps : torch.Tensor of float32, shape (n, K, h, w)
            On the CPU; larger where more speaks for the class.
        logits : torch.Tensor of float32, shape (n, K)
            On the CPU.
        """
        if self.kind == "cam":
            with torch.no_grad():
                logits, values = self._run(images)
                maps = torch.einsum("kc,nchw->nkhw", self._head.weight.float(), values.float())
            return maps.cpu(), logits.float().cpu()
        with torch.enable_grad():
            logits, values = self._run(images, as_leaf=True)
            maps = []
            for k in range(logits.shape[1]):
                # no image's logit depends on another's map
                (gradient,) = torch.autograd.grad(logits[:, k].sum(), values, retain_graph=True)
                maps.append((gradient.sum((2, 3), keepdim=True) * values.detach()).sum(1))
        return torch.stack(maps, dim=1).float().cpu(), logits.detach().float().cpu()

    def _seen_once(self):
        """Return what each layer gives of noise before the last one, and what that one takes."""
        network, given, calls, pooled = self._network, [], {}, []

        def keep(name):
            def hook(module, taken, value):
                calls[name] = calls.get(name, -1) + 1
                if name == self._head_name:
                    pooled.append(taken[0])
                elif isinstance(value, torch.Tensor) and value.ndim == 4 and not pooled:
                    given.append(_Given(name, module, calls[name], value))

            return hook

        shown = torch.randint(
            256,
            (1, len(network.mean), network.input_size, network.input_size),
            dtype=torch.uint8,
            generator=torch.Generator().manual_seed(SEEN_FIRST),
        )
        hooks = [module.register_forward_hook(keep(name)) for name, module in network.model.named_modules() if name]
        try:
            with torch.no_grad():
                network(shown.to(network.mean.device))
        finally:
            for hook in hooks:
                hook.remove()
        return [one for one in given if not isinstance(one.layer, HANDING_ON)], pooled[0]

    def _run(self, images, as_leaf=False):
        """Return logits, and the map on the way to them, with `as_leaf` one that the rest depends on."""
        kept, calls = [], iter(range(10**6))

        def hook(module, taken, value):
            if next(calls) != self._call:
                return None
            kept.append(value.detach().requires_grad_() if as_leaf else value)
            return kept[0].clone() if as_leaf else None  # what follows may change it in place

        registered = self._network.model.get_submodule(self.layer).register_forward_hook(hook)
        try:
            logits = self._network(images)
        finally:
            registered.remove()
        return logits, kept[0]


def _head(model):
    """Return the layer that gives the classes, the last one, and its name."""
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return layers[-1]


def _averaged(given, pooled):
    """Return what gave the map whose mean over places the last layer takes: the last of several."""
    wide = [one for one in given if one.value.shape[1] == pooled.shape[-1] and _places(one) > 1]
    for one in reversed(wide if pooled.ndim == 2 else []):
        if torch.allclose(one.value.mean((2, 3)), pooled, rtol=1e-4, atol=1e-6):
            return one
    return None


def _last_map(given):
    """Return what gave the last map that no pooling made: one of several places, where there is such a one."""
    own = [one for one in given if not isinstance(one.layer, POOLING)]
    return next((one for one in reversed(own) if _places(one) > 1), own[-1] if own else None)


def _places(one):
    return one.value.shape[2] * one.value.shape[3]
