"""Weights: from torchvision, from a state dict on disk, or drawn at random by a seed."""

import hashlib
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn
from torchvision import models

from slidecaf.errors import SlidecafError

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
        return weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise SlidecafError(
            f"weights: {weights} could not be had from {weights.url} ({error}); download that file elsewhere and put "
            f"it at {checkpoint(weights)}, or write its path as weights."
        ) from error


def read_state(path):
    """Read a state dict from a file, without running any code that the file may hold.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to torch.Tensor

    Raises
    ------
    SlidecafError
        If the file is missing, is no state dict, or holds values that are not finite.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise SlidecafError(f"weights: {path} is no file; write the path of a state dict.")
    _check_unpacked(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise SlidecafError(f"weights: there is no file {path}; write the path of a state dict.") from error
    except Exception as error:  # torch.load raises whatever the bytes lead it to
        raise SlidecafError(
            f"weights: {path} is not a state dict that loads without running code ({type(error).__name__}); save one "
            "with torch.save(model.state_dict(), path)."
        ) from error
    if not (isinstance(state, dict) and state and all(map(_is_entry, state.items()))):
        raise SlidecafError(
            f"weights: {path} holds no plain state dict (names to tensors); save one with "
            "torch.save(model.state_dict(), path)."
        )
    broken = [name for name, value in state.items() if value.is_floating_point() and not _all_finite(value)]
    if broken:
        raise SlidecafError(f"weights: {path} holds NaN or infinite values in {broken[0]}; take an undamaged file.")
    return state


def _all_finite(value):
    """Tell whether all values are finite in 32 bit: what is so in 64 bit only would be infinite in the network."""
    # the extremes alone, which are NaN if any value is: AlexNet's values one by one take 0.4 seconds
    return value.numel() == 0 or all(extreme.isfinite() for extreme in value.float().aminmax())


def _check_unpacked(path):
    """Refuse an archive that unpacks to more than it holds: torch packs nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
    except (OSError, zipfile.BadZipFile):  # absent, damaged or no archive: torch says what it is
        return
    if packed:
        raise SlidecafError(
            f"weights: {path} is a compressed archive ({packed[0]}); save it with torch.save(model.state_dict(), path)."
        )


def _is_entry(entry):
    """Tell whether a name and a tensor are such as state dicts hold: dense, real, and with all its values stored."""
    name, value = entry
    return (
        isinstance(name, str)
        and isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_complex()
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def load_state(model, state, source, traced=None):
    """Put a state dict into a network, which keeps its tensors; those in use have to fit.

    Parameters
    ----------
    model : torch.nn.Module
        It may be on the meta device.
    state : dict of str to torch.Tensor
    source : str
        Where the state dict comes from, for the error.
    traced : slidecaf.features.networks.layers.Trace, optional
        What of the network is used; all of it by default. Other tensors may be missing or of another shape, and stay
        as the network has them; `state` may hold further ones of modules that do not run.

    Raises
    ------
    SlidecafError
        If names or shapes differ: weights of another architecture.
    """
    own = model.state_dict()
    used = traced.tensors if traced else own
    missing = [name for name in own if name in used and name not in state]
    unknown = [name for name in state if name not in own and not (traced and _is_behind(name, model, traced))]
    fitting = {name for name in own if name in state and own[name].shape == state[name].shape}
    shapes = [name for name in own if name in used and name in state and name not in fitting]
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
    # taken over, not copied: twice the memory of VGG-16's would be 1 GiB to touch
    taken = OrderedDict((name, value.to(own[name].dtype)) for name, value in state.items() if name in fitting)
    if hasattr(state, "_metadata"):  # versions of modules, for which MNASNet asks
        taken._metadata = state._metadata
    model.load_state_dict(taken, assign=True, strict=len(fitting) == len(own))


def _is_behind(name, model, traced):
    """Tell whether a tensor that the network does not have would belong to a module that does not run."""
    modules = dict(model.named_modules())
    owner = name.rpartition(".")[0]
    while owner not in modules:  # the network itself has the name ""
        owner = owner.rpartition(".")[0]
    return owner != "" and owner not in traced.modules


def weights_sha256(model):
    """Digest a network's state dict: names, types, shapes and values of its tensors.

    Parameters
    ----------
    model : torch.nn.Module

    Returns
    -------
    str
        64 hexadecimal digits. Tensors on the meta device, for which the weights had no values, are left out.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if tensor.is_meta:
            continue
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
