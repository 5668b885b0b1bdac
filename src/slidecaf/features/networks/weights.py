"""Weights: from torchvision, from a file (`weights_file`), or drawn at random by a seed; and put into a network."""

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torchvision import models

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.layers import COUNTER
from slidecaf.logs import logger

OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)")
"""Names in DenseNet's older files, also torchvision's own: ``norm.1`` for ``norm1``."""

DRAWN = (nn.Conv2d, nn.Linear)
"""Layers whose weights are drawn by the seed."""


def draw_weights(model, seed):
    """Fill a network with He-normal weights and zero biases.

    Variance 2 / fan-in keeps the activations' scale through layers with ReLUs (He et al., ICCV 2015), so that
    a network with random weights still tells patches apart. torchvision's own initialisation leaves AlexNet's
    last hidden layer near zero.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place. Normalisation layers keep weight 1 and bias 0.
    seed : int
        The same seed gives the same weights.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if isinstance(model.get_submodule(parameter_name.rpartition(".")[0]), DRAWN):
                if parameter_name.endswith("weight"):
                    nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
                else:
                    parameter.zero_()


def torchvision_weights(model_name, weights_name):
    """Look up torchvision's weights of a model.

    Parameters
    ----------
    model_name : str
        Such as ``"alexnet"``.
    weights_name : str
        Such as ``"IMAGENET1K_V1"`` or ``"AlexNet_Weights.IMAGENET1K_V1"``.

    Returns
    -------
    torchvision.models.WeightsEnum

    Raises
    ------
    SlidecafError
        If the model has no weights of this name.
    """
    if model_name not in models.list_models(module=models):
        raise SlidecafError(
            f"weights: there are no published ones of {model_name}, and so no {weights_name!r}; write the path of a "
            "state dict, or random:SEED."
        )
    known = models.get_model_weights(model_name)
    group, _, name = weights_name.rpartition(".")
    if name not in known.__members__ or group not in ("", known.__name__):
        raise SlidecafError(
            f"weights: torchvision has no {weights_name!r} for {model_name}; write one of "
            f"{', '.join(known.__members__)}, the path of a state dict, or random:SEED."
        )
    return known[name]


def checkpoint(weights):
    """Return where torchvision keeps weights on this machine: below ``TORCH_HOME``.

    Parameters
    ----------
    weights : torchvision.models.WeightsEnum

    Returns
    -------
    pathlib.Path
        The file need not be there yet.
    """
    return Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]


def download_state(weights):
    """Return the state dict of torchvision weights, downloaded into ``TORCH_HOME`` where it is not there yet.

    Parameters
    ----------
    weights : torchvision.models.WeightsEnum

    Returns
    -------
    dict of str to torch.Tensor

    Raises
    ------
    SlidecafError
        If they can be neither found nor downloaded.
    """
    try:
        # what lies there already is not compared with its hash, and could run code
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise SlidecafError(
            f"weights: {weights} could not be had from {weights.url} ({error}); download that file elsewhere and put "
            f"it at {checkpoint(weights)}, or write its path as weights."
        ) from error
    except Exception as error:  # torch.load raises whatever the bytes lead it to
        raise SlidecafError(
            f"weights: {checkpoint(weights)} is not a state dict that loads without running code "
            f"({type(error).__name__}); delete it, and it is downloaded again."
        ) from error


@dataclass(frozen=True)
class Reading:
    """One way to take a file's tensors for a network's.

    Attributes
    ----------
    where : str
        Where in the file they are: keys of its dicts, then what stands before the network's own names.
    tensors : dict of str to torch.Tensor
        By the names that follow.
    aside : list of str
        Names in the same dict that do not start so.
    metadata : dict or None
        Versions of modules by name, for which MNASNet asks.
    """

    where: str
    tensors: dict
    aside: list
    metadata: dict | None


def load_state(model, state, source, traced=None):
    """Put a state dict into a network, which keeps its tensors; those in use have to fit.

    The state dict may lie in dicts of other things (``state_dict``, ``model``, ``teacher``), and something may stand
    before its names (``module.``, ``backbone.``), as programs that train networks save them: what fits is found. Where
    more than one does, nobody can tell which is meant.

    Parameters
    ----------
    model : torch.nn.Module
        It may be on the meta device.
    state : dict of str to torch.Tensor or dict
    source : str
        Where the state dict comes from, for the error.
    traced : slidecaf.features.networks.layers.Trace, optional
        What of the network is used; all of it by default. Other tensors may be missing or of another shape, and stay
        as the network has them; `state` may hold further ones of modules that do not run.

    Raises
    ------
    SlidecafError
        If names or shapes differ: weights of another architecture. If more than one state dict fits. If a tensor in use
        holds whole numbers, or a value that is not finite.
    """
    own = model.state_dict()
    used = {name for name in (traced.tensors if traced else own) if not name.endswith(COUNTER)}
    readings = list(_readings(state, own, old=type(model).__name__ == "DenseNet"))
    fitting = [one for one in readings if not _missing(one, used) and not _of_another_shape(one, own, used)]
    if len(fitting) > 1:
        raise SlidecafError(
            f"weights: {source} holds {len(fitting)} state dicts that fit {type(model).__name__}, "
            f"{' and '.join(one.where for one in fitting)}; save the one that you mean with torch.save(its_dict, path)."
        )
    chosen = fitting[0] if fitting else max(readings, key=lambda one: len(used & one.tensors.keys()))
    unknown = [name for name in chosen.tensors if name not in own and not (traced and _is_aside(name, model, traced))]
    _check_fit(model, source, _missing(chosen, used), unknown, _of_another_shape(chosen, own, used))
    _check_values(source, chosen, own, used)
    aside = [*chosen.aside, *(name for name in chosen.tensors if name not in used and not name.endswith(COUNTER))]
    _log_taken(source, chosen, used, aside)
    # taken over, not copied: twice the memory of VGG-16's would be 1 GiB to touch
    taken = OrderedDict((name, value.to(own[name].dtype)) for name, value in chosen.tensors.items() if name in used)
    for name in own:
        if name.endswith(COUNTER) and own[name].is_meta:  # older files have none
            taken[name] = torch.zeros((), dtype=own[name].dtype)
    if chosen.metadata is not None:
        taken._metadata = chosen.metadata
    model.load_state_dict(taken, assign=True, strict=False)


def check_finite(model, source, used):
    """See that the tensors in use of a network have finite values.

    Parameters
    ----------
    model : torch.nn.Module
    source : str
        Where its weights come from, for the error.
    used : container of str

    Raises
    ------
    SlidecafError
        Naming the first tensor that has not.
    """
    for name, value in model.state_dict().items():
        if name in used and value.is_floating_point() and not _all_finite(value):
            raise SlidecafError(f"weights: {source} holds NaN or infinite values in {name}; take an undamaged file.")


def _readings(state, own, old, where=()):
    """List the ways to take a state dict, and the dicts in it, for a network's, whether all of it is there or not."""
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if old:
        tensors = {OLD_DENSENET.sub(r"\1", name): value for name, value in tensors.items()}
    if tensors:
        metadata = getattr(state, "_metadata", None)
        for prefix in _prefixes(tensors, own):
            inside = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
            yield Reading(
                "/".join((*where, f"{prefix}*")),
                inside,
                [name for name in tensors if not name.startswith(prefix)],
                metadata and {f"{name}."[len(prefix) :].rstrip("."): value for name, value in metadata.items()},
            )
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            yield from _readings(value, own, old, (*where, name))


def _prefixes(names, own):
    """List what stands before a network's names in some names; nothing where none of them is there."""
    found = {}
    for name in names:
        starts = [0, *(place.end() for place in re.finditer(r"\.", name))]
        found |= {name[:start]: None for start in starts if name[start:] in own}
    return list(found) or [""]


def _missing(reading, used):
    return sorted(used - reading.tensors.keys())


def _of_another_shape(reading, own, used):
    given = reading.tensors
    return [name for name in own if name in used and name in given and given[name].shape != own[name].shape]


def _check_fit(model, source, missing, unknown, shapes):
    if missing or unknown or shapes:
        details = [
            f"{what} {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            for what, names in (("missing", missing), ("unknown", unknown), ("of another shape", shapes))
            if names
        ]
        raise SlidecafError(
            f"weights: {source} does not fit {type(model).__name__}: {'; '.join(details)}. Take weights of this "
            "architecture, or set model to theirs."
        )


def _check_values(source, reading, own, used):
    for name in sorted(used):
        value = reading.tensors[name]
        if value.is_floating_point() != own[name].is_floating_point():
            raise SlidecafError(
                f"weights: {source} has {str(value.dtype).removeprefix('torch.')} in {name}, where the network has "
                f"{str(own[name].dtype).removeprefix('torch.')}; save weights that are not quantised."
            )
        if value.is_floating_point() and not _all_finite(value):
            raise SlidecafError(f"weights: {source} holds NaN or infinite values in {name}; take an undamaged file.")


def _all_finite(value):
    """Tell whether all values are finite in 32 bit: what is so in 64 bit only would be infinite in the network."""
    # the extremes alone, which are NaN if any value is: AlexNet's values one by one take 0.4 seconds
    return value.numel() == 0 or all(extreme.isfinite() for extreme in value.float().aminmax())


def _log_taken(source, reading, used, aside):
    kinds = {str(reading.tensors[name].dtype).removeprefix("torch.") for name in used}
    said = f"weights: of {source} {len(used)} tensors are used ({reading.where}; {', '.join(sorted(kinds))})"
    if aside:
        more = ", …" if len(aside) > 3 else ""
        said += f", and {len(aside)} are left aside: {', '.join(aside[:3])}{more}"
    logger.info("%s", said)


def _is_aside(name, model, traced):
    """Tell whether a tensor that the network does not have would belong to nothing that runs.

    That is a module of its own, such as another head, or one in a module that does not run, or one behind the last that
    runs in a sequence.
    """
    modules = dict(model.named_modules())
    owner = name.rpartition(".")[0]
    while owner not in modules:  # the network itself has the name ""
        owner = owner.rpartition(".")[0]
    if owner == "":
        return "." in name
    if owner not in traced.modules:
        return True
    children = [child for child, _ in modules[owner].named_children()]
    running = [int(child) for child in children if child.isdecimal() and f"{owner}.{child}" in traced.modules]
    given = name[len(owner) + 1 :].partition(".")[0]
    return len(running) < len(children) and given.isdecimal() and int(given) > max(running, default=-1)


def weights_sha256(model, used=None):
    """Digest a network's weights: names, types, shapes and values of its tensors.

    Parameters
    ----------
    model : torch.nn.Module
    used : container of str, optional
        Names of the tensors in use; by default all of them. So a file with another head has the same digest.

    Returns
    -------
    str
        64 hexadecimal digits. Tensors on the meta device, which are not in use, are left out.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if tensor.is_meta or (used is not None and name not in used):
            continue
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
