"""Weights that run code, lie about their size, or hold no numbers."""

import io
import os
import pickle
import zipfile

import pytest
import torch
import torchvision

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.weights import load_state
from slidecaf.features.networks.weights_file import read_state


class _Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def packed(content):
    """The same archive, compressed: a few bytes could unpack to any number."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


STATE = {"w": torch.ones(4, 3), "n": torch.tensor(3)}


@pytest.mark.parametrize(
    "make",
    [
        lambda path: pickle.dumps(_Code(path)),
        lambda path: pickle.dumps({"w": _Code(path)}, protocol=2),
        lambda path: saved({"w": _Code(path)}),
        lambda path: saved({"w": _Code(path)}, _use_new_zipfile_serialization=False),
        lambda path: saved(torchvision.models.squeezenet1_0(weights=None)),
    ],
    ids=["pickle", "pickle 2", "zip", "legacy", "a whole model"],
)
def test_code_in_weights_does_not_run(tmp_path, make):
    made = tmp_path / "made"
    (tmp_path / "w.pth").write_bytes(make(made))
    with pytest.raises(SlidecafError, match=r"weights: .*w\.pth is not a state dict that loads without running code"):
        read_state(tmp_path / "w.pth")
    assert not made.exists()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"w": torch.tensor([1.0, float("nan")])}, "NaN or infinite values in w"),
        ({"w": torch.tensor([float("inf")])}, "NaN or infinite values in w"),
        ({"w": torch.tensor([1e300], dtype=torch.float64)}, "NaN or infinite values in w"),
        ({"w": torch.tensor([float("nan")]).to(torch.float8_e5m2)}, "NaN or infinite values in w"),
        ({"w": torch.zeros(1).expand(10**12)}, "no plain state dict"),
        ({"w": torch.eye(3).to_sparse()}, "no plain state dict"),
        ({"w": torch.zeros(3, dtype=torch.complex64)}, "no plain state dict"),
        ({"w": torch.empty(3, device="meta")}, "(no plain|not a) state dict"),
        ({3: torch.ones(1)}, "no plain state dict"),
        ({}, "no plain state dict"),
    ],
    ids=["NaN", "inf", "64 bit", "8 bit", "expanded", "sparse", "complex", "meta", "number as name", "empty"],
)
def test_weights_that_are_no_numbers_are_refused(tmp_path, state, said):
    torch.save(state, tmp_path / "w.pth")
    network = torch.nn.Module()
    network.w = torch.nn.Parameter(torch.ones(state["w"].shape if said.startswith("NaN") else ()))
    with pytest.raises(SlidecafError, match=said):
        load_state(network, read_state(tmp_path / "w.pth"), "w.pth")


def test_weights_cut_off_or_packed_are_refused(tmp_path):
    content, path = saved(STATE), tmp_path / "w.pth"
    for cut in [*range(0, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:cut])
        with pytest.raises(SlidecafError, match=r"weights: .*w\.pth"):
            read_state(path)
    path.write_bytes(packed(content))
    with pytest.raises(SlidecafError, match="is a compressed archive"):
        read_state(path)
    path.write_bytes(content)
    assert read_state(path)["w"].equal(STATE["w"])


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_weights_that_are_no_file_are_refused_and_do_not_hang(tmp_path, make):
    make(tmp_path / "w.pth")
    with pytest.raises(SlidecafError, match=r"w\.pth is no file"):
        read_state(tmp_path / "w.pth")


def test_weights_of_another_shape_are_refused_with_their_name():
    model = torchvision.models.squeezenet1_0(weights=None)
    state = model.state_dict()
    state["features.0.weight"] = state["features.0.weight"][:3]
    with pytest.raises(SlidecafError, match=r"w\.pth does not fit SqueezeNet: of another shape features\.0\.weight"):
        load_state(model, state, "w.pth")
