"""Files of weights: state dicts as torch and safetensors write them, read without running code that they may hold."""

import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch

from slidecaf.errors import SlidecafError
from slidecaf.files.faults import is_file, machine_fault, reason_of, unread

DEEPEST = 4
"""Dicts within dicts that are looked into."""


def read_state(path):
    """Read a state dict from a file.

    Parameters
    ----------
    path : path-like
        By its suffix ``.safetensors`` it is of that format, otherwise one that ``torch.save`` wrote.

    Returns
    -------
    dict of str to torch.Tensor or dict
        All tensors of the file, in the dicts in which it has them.

    Raises
    ------
    SlidecafError
        If the file is missing, or holds no tensors by name.
    """
    if not is_file(path):
        what = f"{path} is no file" if Path(path).exists() else f"there is no file {path}"
        raise SlidecafError(f"weights: {what}; write the path of a state dict.")
    loaded = _read_safetensors(path) if Path(path).suffix == ".safetensors" else _read_torch(path)
    state = _tensors(loaded)
    if not state:
        raise SlidecafError(
            f"weights: {path} holds no plain state dict (names to tensors); save one with "
            "torch.save(model.state_dict(), path)."
        )
    return state


def _read_torch(path):
    _check_unpacked(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the bytes lead it to
        if machine_fault(error):
            raise unread(path, error, of="weights: ") from error
        raise SlidecafError(
            f"weights: {path} is not a state dict that loads without running code ({type(error).__name__}); save one "
            "with torch.save(model.state_dict(), path)."
        ) from error


def _read_safetensors(path):
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        if machine_fault(error):
            raise unread(path, error, of="weights: ") from error
        raise SlidecafError(
            f"weights: {path} is no whole safetensors file ({reason_of(error)}); take an undamaged copy."
        ) from error


def _check_unpacked(path):
    """Refuse an archive that unpacks to more than it holds: torch packs nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
    except (OSError, zipfile.BadZipFile):  # not given, damaged or no archive: torch says what it is
        return
    if packed:
        raise SlidecafError(
            f"weights: {path} is a compressed archive ({packed[0]}); save it with torch.save(model.state_dict(), path)."
        )


def _tensors(loaded, depth=1):
    """Return what of a loaded object is tensors by name, and dicts of such; beside them files hold epochs and more."""
    kept = OrderedDict()
    if isinstance(loaded, Mapping) and depth <= DEEPEST:
        for name, value in loaded.items():
            if isinstance(name, str) and isinstance(value, torch.Tensor) and _is_plain(value):
                kept[name] = value
            elif isinstance(name, str) and (inside := _tensors(value, depth + 1)):
                kept[name] = inside
        if hasattr(loaded, "_metadata"):
            kept._metadata = loaded._metadata
    return kept


def _is_plain(value):
    """Tell whether a tensor is such as state dicts hold: dense, real, and with all its values stored."""
    return (
        value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_complex()
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )
