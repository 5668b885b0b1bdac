"""Weights are what they are said to be, and bad ones are refused."""

import io
import pickle
from pathlib import Path

import pytest
import torch
import torchvision

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import models, weights
from slidecaf.features.networks.layers import trace


def small():
    return torchvision.models.squeezenet1_0(weights=None)


def test_drawn_weights_are_he_normal_with_zero_biases_and_follow_the_seed():
    model = small()
    weights.draw_weights(model, 3)
    layer = model.features[3].expand3x3
    fan_in = layer.in_channels * 9
    assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.01)
    assert not layer.bias.any()
    other = small()
    weights.draw_weights(other, 3)
    assert weights.weights_sha256(other) == weights.weights_sha256(model)
    weights.draw_weights(other, 4)
    assert weights.weights_sha256(other) != weights.weights_sha256(model)


def test_the_digest_covers_every_tensor():
    model = small()
    before = weights.weights_sha256(model)
    with torch.no_grad():
        model.classifier[1].bias[0] += 1
    assert weights.weights_sha256(model) != before
    assert len(before) == 64


@pytest.mark.parametrize("name", ["squeezenet1_0", "mnasnet0_5", "shufflenet_v2_x0_5"])
def test_a_state_dict_on_disk_is_read(tmp_path, name):
    """MNASNet asks for the version of its modules, others count batches in whole numbers."""
    given, model = (getattr(torchvision.models, name)(weights=None) for _ in range(2))
    torch.save(given.state_dict(), tmp_path / "w.pth")
    weights.load_state(model, weights.read_state(tmp_path / "w.pth"), "w.pth")
    assert weights.weights_sha256(model) == weights.weights_sha256(given)


def test_a_state_dict_of_another_number_format_is_put_into_the_networks(tmp_path):
    given, model = small(), small()
    torch.save(given.double().state_dict(), tmp_path / "w.pth")
    weights.load_state(model, weights.read_state(tmp_path / "w.pth"), "w.pth")
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert weights.weights_sha256(model) == weights.weights_sha256(given.float())


class _Bomb:
    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


def bomb():
    buffer = io.BytesIO()
    torch.save({"features.0.weight": _Bomb()}, buffer)
    return buffer.getvalue()


def saved(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"hello", "is not a state dict that loads without running code"),
        (pickle.dumps({"a": 1}), "(is not|holds no)"),
        (bomb(), "without running code"),
        (saved([1, 2]), "holds no plain state dict"),
        (saved({"a": {"b": torch.zeros(1)}}), "holds no plain state dict"),
        (saved({"a": torch.tensor([float("nan")])}), "NaN or infinite values in a"),
    ],
    ids=["absent", "text", "pickle", "code", "list", "nested", "NaN"],
)
def test_what_is_no_state_dict_is_refused_and_no_code_runs(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SlidecafError, match=said):
        weights.read_state(path)
    assert not Path("exploded").exists()


def test_weights_of_another_architecture_are_refused_with_what_differs():
    with pytest.raises(SlidecafError, match=r"does not fit SqueezeNet: missing .* unknown features\.3\.weight"):
        weights.load_state(small(), torchvision.models.alexnet(weights=None).state_dict(), "alexnet.pth")


def test_weights_in_use_have_to_be_there_and_unknown_ones_only_where_nothing_runs():
    model = models.build("alexnet")
    traced = trace(model, ["classifier.5"])
    whole = torchvision.models.alexnet(weights=None).state_dict()
    for changed, said in (
        ({"classifier.4.bias": None}, r"missing classifier\.4\.bias\. Take"),
        ({"features.0.weight": torch.ones(1)}, r"of another shape features\.0\.weight\. Take"),
        ({"features.1.weight": torch.ones(64)}, r"unknown features\.1\.weight\. Take"),  # a normalisation, say
        ({"classifier.7.weight": torch.ones(1)}, r"unknown classifier\.7\.weight\. Take"),
        ({"head.weight": torch.ones(1)}, r"unknown head\.weight\. Take"),
    ):
        state = {name: value for name, value in (whole | changed).items() if value is not None}
        with pytest.raises(SlidecafError, match=said):
            weights.load_state(model, state, "w.pth", traced)


def test_torchvisions_weights_are_found_by_name_and_others_listed():
    named = weights.torchvision_weights("alexnet", "IMAGENET1K_V1")
    assert named == weights.torchvision_weights("alexnet", "AlexNet_Weights.IMAGENET1K_V1")
    for wrong in ("IMAGENET1K_V9", "VGG16_Weights.IMAGENET1K_V1"):
        with pytest.raises(SlidecafError, match="write one of IMAGENET1K_V1"):
            weights.torchvision_weights("alexnet", wrong)


def test_named_weights_come_from_torch_home(tmp_path, monkeypatch):
    named = weights.torchvision_weights("squeezenet1_0", "IMAGENET1K_V1")
    model = small()
    place = tmp_path / "hub" / "checkpoints" / named.url.rpartition("/")[2]
    place.parent.mkdir(parents=True)
    torch.save(model.state_dict(), place)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    loaded = small()
    weights.load_state(loaded, weights.download_state(named), "named")
    assert weights.weights_sha256(loaded) == weights.weights_sha256(model)


def test_weights_that_cannot_be_downloaded_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _refuse)
    named = weights.torchvision_weights("squeezenet1_0", "IMAGENET1K_V1")
    with pytest.raises(SlidecafError, match=f"no network.*put it at {tmp_path}"):
        weights.download_state(named)


def _refuse(*args, **kwargs):
    raise OSError("no network")
