"""Files of tensors as networks trained here are kept in: safetensors, which hold no code, with what is said of them."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from slidecaf.errors import SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.faults import machine_fault, reason_of, unread

SAID = "slidecaf"
"""The one key of a file's metadata: of several the library writes any order, and bytes would differ."""


def write_tensors(path, tensors: Mapping[str, torch.Tensor], said: Mapping) -> None:
    """Write tensors by name.

    Parameters
    ----------
    path : path-like
    tensors : mapping of str to torch.Tensor
    said : mapping
        As JSON can hold it.

    Raises
    ------
    SlidecafError
        If there is no room for the file, or its folder cannot be written to.
    """
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as partial:
        save_file(kept, partial, metadata={SAID: json.dumps(said, sort_keys=True, ensure_ascii=False)})


def read_tensors(path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read tensors by name.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    tensors : dict of str to torch.Tensor
    said : dict

    Raises
    ------
    SlidecafError
        If the file is missing, damaged, or was not written by `write_tensors`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {})[SAID])
            return {name: file.get_tensor(name) for name in file.keys()}, said  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        if machine_fault(error):
            raise unread(path, error) from error
        what = "is missing" if not Path(path).exists() else f"is damaged ({reason_of(error)})"
        raise SlidecafError(f"{path} {what}; delete it and run again.") from error
