"""timm's networks: built with the weights' own normalisation and input size, and run as far as some outputs.

torch.fx cannot follow these networks, which look at shapes and values while they run. So they run as they are: what
the tokens say is what timm's own functions return, and a named layer is what the module returns, behind which the
network stops.

timm takes a second to import, which no other network's job pays: functions import it.
"""

import difflib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import weights as weights_of
from slidecaf.features.networks.layers import COUNTER, no_tensor
from slidecaf.features.networks.weights_file import read_state
from slidecaf.study.names import HUB, TIMM, is_weights_file

POOLED, CLASS, MEAN, BOTH = "pooled", "class", "mean", "class+mean"
TOKENS = (CLASS, MEAN, BOTH)
"""Outputs that are made of a transformer's last tokens."""


@dataclass(frozen=True, eq=False)
class Network:
    """One of timm's networks, with its weights.

    Attributes
    ----------
    model : torch.nn.Module
        Without its classifier, in evaluation mode, on the CPU.
    traced : Run
        Of the layers that are wanted.
    input_size : int
        Px of the side of the images that it was trained with.
    mean, std : tuple of float
        By which R, G and B are normalised, on a scale of 0 to 1.
    """

    model: nn.Module
    traced: "Run"
    input_size: int
    mean: tuple
    std: tuple


@dataclass(frozen=True, eq=False)
class Run:
    """What a network runs for some outputs, as `slidecaf.features.networks.layers.Trace` says it of others.

    Attributes
    ----------
    layers : tuple of str
    modules, tensors : frozenset of str
        Names of the modules that run, and of the tensors of the state dict that are used.
    """

    layers: tuple
    modules: frozenset
    tensors: frozenset

    def network(self, model) -> nn.Module:
        """Return what gives the outputs, a list, and shares the model's tensors."""
        return Outputs(model, self.layers)


def load(spec: Mapping, layers: Sequence[str]) -> Network:
    """Build a network that a config describes, and give it its weights.

    Parameters
    ----------
    spec : mapping
        ``model`` (``timm/`` and a name), ``weights`` (a tag of timm's, ``hf-hub:`` and a name, a path, or
        ``random:SEED``), ``input_size`` (px or ``own``), and perhaps ``model_args``, ``mean`` and ``std``.
    layers : sequence of str
        ``pooled``, ``class``, ``mean``, ``class+mean``, or names of submodules.

    Returns
    -------
    Network

    Raises
    ------
    SlidecafError
        If the network, a layer or the weights cannot be had, or weights do not fit; it says what to write instead.
    """
    name, weights, size = spec["model"].removeprefix(TIMM), spec["weights"], spec["input_size"]
    _check_name(name)
    args = _arguments(spec.get("model_args") or {})
    from_file = is_weights_file(weights, spec["model"])
    if weights.startswith("random:"):
        model = _built(name, args, seed=int(weights.removeprefix("random:")))
    elif from_file:
        model = _built(name, args)
    else:
        model = _pretrained(name, weights, args)
    model.eval()
    own = _own_size(name, model, args)
    size = own if size == "own" else size
    traced = run_of(model, layers, size)
    if from_file:
        weights_of.load_state(model, read_state(weights), weights, traced)
    elif not weights.startswith("random:"):
        weights_of.check_finite(model, weights, traced.tensors)
    mean, std = (tuple(spec.get(key) or model.pretrained_cfg[key]) for key in ("mean", "std"))
    return Network(model, traced, size, mean, std)


def absent(model: str, weights: str) -> str:
    """Return where published weights would have to be downloaded from.

    Parameters
    ----------
    model : str
        ``timm/`` and a name.
    weights : str
        A tag of timm's, or ``hf-hub:`` and a name.

    Returns
    -------
    str
        An address; empty where they are on this machine.

    Raises
    ------
    SlidecafError
        If timm has no weights of this tag.
    """
    from huggingface_hub import try_to_load_from_cache

    name = model.removeprefix(TIMM)
    _check_name(name)
    if weights.startswith(HUB):
        repository, _, revision = weights.removeprefix(HUB).partition("@")
        files = ("model.safetensors", "pytorch_model.bin")
    else:
        known = _tagged(name, weights)
        repository, _, revision = (known.hf_hub_id or "").partition("@")
        files = (known.hf_hub_filename,) if known.hf_hub_filename else ("model.safetensors", "pytorch_model.bin")
        if not repository:
            return str(known.url)  # torch keeps those, under names of its own
    there = any(isinstance(try_to_load_from_cache(repository, file, revision=revision or None), str) for file in files)
    return "" if there else f"https://huggingface.co/{repository}"


def _tagged(name, tag):
    """Return what timm knows of some weights of a network."""
    import timm

    known = [one.partition(".")[2] for one in timm.list_pretrained(f"{name}.*")]
    if tag not in known:
        instead = f"one of {', '.join(known)}, " if known else ""
        raise SlidecafError(
            f"weights: timm has no {tag!r} for {name}; write {instead}hf-hub:NAME, the path of a state dict, or "
            "random:SEED."
        )
    return timm.get_pretrained_cfg(f"{name}.{tag}")


def _check_name(name):
    import timm

    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=5, cutoff=0.4) or ["vit_small_patch14_dinov2"]
        raise SlidecafError(f"model: timm has no {name!r}; write timm/ and one of {', '.join(near)}.")


def _arguments(given):
    """Return arguments as timm takes them: kinds of layers are its classes."""
    import timm

    return {key: getattr(timm.layers, value) if key == "mlp_layer" else value for key, value in given.items()}


def _built(name, args, seed=None):
    """Build a network: with weights drawn by a seed, or for weights that are put in afterwards."""
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0 if seed is None else seed)
        if seed is not None:
            model = _created(name, partial(timm.create_model, name, num_classes=0, **args))
            weights_of.draw_weights(model, seed)
            return model
        with _LeftUndrawn():
            return _created(name, partial(timm.create_model, name, num_classes=0, **args))


def _created(name, create):
    try:
        return create()
    except (TypeError, AssertionError, ValueError, RuntimeError) as error:  # as the network's own code raises them
        raise SlidecafError(
            f"model_args: timm's {name} cannot be built like this ({_reason(error)}); write the arguments that the "
            "card of the weights gives."
        ) from error


def _pretrained(name, weights, args):
    """Build a network with published weights, by timm's own loader, every tensor of which has to be there."""
    import timm

    if weights.startswith(HUB):
        found = _on_hub(weights)
        if found != name:
            raise SlidecafError(
                f"model: {weights} is of the architecture {found}, and model says {name}; write {TIMM}{found}."
            )
        create = partial(timm.create_model, weights, pretrained=True, **args)
    else:
        _tagged(name, weights)
        create = partial(timm.create_model, f"{name}.{weights}", pretrained=True, **args)
    try:
        # with the weights' own classifier, since timm is strict only then; it is taken away afterwards
        with torch.random.fork_rng(devices=[]), _LeftUndrawn():
            model = create()
    except Exception as error:  # connections, rights, files and fits: each library has errors of its own
        if isinstance(error, TypeError | AssertionError) or "state_dict" in str(error) or "size" in str(error):
            raise SlidecafError(
                f"weights: {weights} does not fit {name} as it is built ({_reason(error)}); write as model_args the "
                "arguments that the card of the weights gives."
            ) from error
        raise _not_had(weights, error) from error
    model.reset_classifier(0)
    return model


def _on_hub(weights):
    """Return the architecture of weights on the hub, by their small file, before the large one is asked for."""
    from timm.models import load_model_config_from_hf

    try:
        _, name, _ = load_model_config_from_hf(weights.removeprefix(HUB))
    except KeyError as error:
        raise SlidecafError(
            f"weights: {weights} is not published for timm: its config.json names no architecture; take a copy that "
            "is, or a file of timm's names."
        ) from error
    except Exception as error:  # connections, rights and files: each library has errors of its own
        raise _not_had(weights, error) from error
    return name


def _not_had(weights, error):
    return SlidecafError(
        f"weights: {weights} could not be had ({type(error).__name__}: {_reason(error)}); where they are gated ask for "
        "access on their page, and set HF_TOKEN to your token or log in (hf auth login); without a network, download "
        "their file elsewhere and write its path, with model_args, mean and std as their card says."
    )


def _reason(error):
    return " ".join(str(error).split())[:300]


def _own_size(name, model, args):
    """Return the px of the side of a network's images, by its arguments or by what timm knows of its weights."""
    channels, height, width = model.pretrained_cfg["input_size"]
    if channels != 3 or height != width:
        raise SlidecafError(
            f"model: timm's {name} takes images of {width} x {height} px and {channels} channels; take one for square "
            "RGB images."
        )
    return args.get("img_size", height)


class _LeftUndrawn(torch.overrides.TorchFunctionMode):
    """Tensors keep what was in memory where a network would draw its weights, which are put in afterwards.

    Drawing ViT-H's takes half a minute.
    """

    _DRAW = frozenset(
        {
            *(getattr(torch.Tensor, name) for name in ("uniform_", "normal_", "erfinv_")),
            *(getattr(nn.init, name) for name in ("uniform_", "normal_", "kaiming_uniform_", "trunc_normal_")),
        }
    )

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in self._DRAW:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))


class _Enough(Exception):
    """Ends the pass of a network."""


class Outputs(nn.Module):
    """Runs one of timm's networks for some outputs, in any number of threads.

    Parameters
    ----------
    model : torch.nn.Module
    layers : sequence of str
        As for `load`.
    """

    def __init__(self, model, layers):
        super().__init__()
        self.model, self._layers = model, tuple(layers)
        self._tokens = {layer for layer in layers if layer in (POOLED, *TOKENS)}
        self._named = [layer for layer in dict.fromkeys(layers) if layer not in self._tokens]
        self._pass = threading.local()
        self._hooks = [
            model.get_submodule(layer).register_forward_hook(partial(self._keep, layer)) for layer in self._named
        ]

    def forward(self, x):
        """Return the outputs in the order of the layers: of a named one as it is, of the others (n, D)."""
        self._pass.found = found = {}
        try:
            if self._tokens:
                found |= self._of_tokens(self.model.forward_features(x))
            else:
                self.model(x)
        except _Enough:
            pass
        finally:
            self._pass.found = None
        for layer in self._layers:
            if layer not in found:
                raise SlidecafError(f"layer: {layer!r} is not used when the network runs; write another layer.")
        return [found[layer] for layer in self._layers]

    def forget(self):
        """Leave the network as it was: it can be run no more by this."""
        for hook in self._hooks:
            hook.remove()

    def _keep(self, layer, module, given, output):
        found = getattr(self._pass, "found", None)
        if found is None or layer in found:  # a pass that nobody asked for outputs; a module that runs again
            return
        if not isinstance(output, torch.Tensor):
            raise no_tensor(layer)
        found[layer] = output
        if not self._tokens and len(found) == len(self._named):
            raise _Enough
        found[layer] = output.clone()  # operations in place would otherwise change it later in the pass

    def _of_tokens(self, tokens):
        found = {}
        if POOLED in self._tokens:
            found[POOLED] = pooled = self.model.forward_head(tokens, pre_logits=True)
            if not isinstance(pooled, torch.Tensor) or pooled.ndim != 2:
                raise SlidecafError(
                    f"layer: {type(self.model).__name__} pools nothing, and so {POOLED!r} gives no vector; write "
                    f"{CLASS}, {MEAN} or {BOTH}."
                )
        for layer in self._tokens & {*TOKENS}:
            self._check_tokens(layer, tokens)
            parts = [tokens[:, 0]] if layer != MEAN else []
            parts += [tokens[:, self.model.num_prefix_tokens :].mean(1)] if layer != CLASS else []
            found[layer] = torch.cat(parts, 1)
        return found

    def _check_tokens(self, layer, tokens):
        model, why = self.model, ""
        if not isinstance(tokens, torch.Tensor) or tokens.ndim != 3 or not hasattr(model, "num_prefix_tokens"):
            why = "has no tokens whose places are known"
        elif layer != MEAN and getattr(model, "cls_token", None) is None:
            why = "has no class token"
        elif not isinstance(getattr(model, "fc_norm", None) or nn.Identity(), nn.Identity):
            why = "normalises behind its pooling, and not its tokens"
        if why:
            raise SlidecafError(f"layer: {type(model).__name__} {why}; write {POOLED} in place of {layer!r}.")


def run_of(model, layers: Sequence[str], size: int) -> Run:
    """Find out which modules run, and which tensors are used, for some outputs of an image.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode. It runs once, if it can without values.
    layers : sequence of str
        As for `load`.
    size : int
        Px of the side of the image.

    Returns
    -------
    Run

    Raises
    ------
    SlidecafError
        If the network has no such layer or output, or takes no such image.
    """
    names = [name for name, _ in model.named_modules() if name]
    for layer in layers:
        if layer not in (*names, POOLED, *TOKENS):
            near = difflib.get_close_matches(layer, names, n=5, cutoff=0.3) or names[-5:]
            known = ", ".join((POOLED, *TOKENS))
            raise SlidecafError(
                f"layer: {type(model).__name__} has no {layer!r}; write {known}, or a near name: {', '.join(near)}."
            )
    try:
        return _run_on(model, tuple(layers), size, "meta")
    except SlidecafError:
        raise
    except Exception:  # some networks ask for values, which are not there; what is wrong is said by the next line
        try:
            return _run_on(model, tuple(layers), size, "cpu")
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise SlidecafError(
                f"input_size: {type(model).__name__} does not take images of {size} px ({_reason(error)}); leave "
                f"input_size out for the weights' own, or write model_args: {{img_size: {size}}} or "
                "{dynamic_img_size: true} where their card does."
            ) from error


def _run_on(model, layers, size, device):
    held = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    held = {name: one.to(device) for name, one in held.items()}
    ran = set()
    outputs = Outputs(model, layers)
    hooks = [
        module.register_forward_pre_hook(lambda module, given, name=name: ran.add(name))
        for name, module in model.named_modules()
    ]
    try:
        with torch.inference_mode(), _Used(held) as used, torch.device(device):
            blank = torch.zeros(1, 3, size, size, device=device)
            torch.func.functional_call(outputs, {f"model.{name}": one for name, one in held.items()}, (blank,))
    finally:
        for hook in hooks:
            hook.remove()
        outputs.forget()
    kept = model.state_dict().keys()
    tensors = frozenset(name for name in used.names if name in kept and not name.endswith(COUNTER))
    return Run(layers, frozenset(ran | {""}), tensors)


class _Used(TorchDispatchMode):
    """Notes which of some tensors operations are given."""

    def __init__(self, held):
        super().__init__()
        self._held, self.names = {id(one): name for name, one in held.items()}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for leaf in tree_leaves((args, kwargs)):
            if id(leaf) in self._held:
                self.names.add(self._held[id(leaf)])
        return func(*args, **kwargs)
