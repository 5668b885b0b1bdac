"""Weights are what they are said to be, and bad ones are refused."""

import errno
import io
import pickle
import re
from pathlib import Path

import pytest
import torch
import torchvision

from slidecaf.errors import MachineError, SlidecafError
from slidecaf.features.networks import models, weights
from slidecaf.features.networks.layers import trace
from slidecaf.features.networks.weights_file import read_state


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
    weights.load_state(model, read_state(tmp_path / "w.pth"), "w.pth")
    assert weights.weights_sha256(model) == weights.weights_sha256(given)


def test_a_state_dict_of_another_number_format_is_put_into_the_networks(tmp_path):
    given, model = small(), small()
    torch.save(given.double().state_dict(), tmp_path / "w.pth")
    weights.load_state(model, read_state(tmp_path / "w.pth"), "w.pth")
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
        (saved({"epoch": 3, "best": {"loss": 0.1}}), "holds no plain state dict"),
    ],
    ids=["absent", "text", "pickle", "code", "list", "no tensors"],
)
def test_what_is_no_state_dict_is_refused_and_no_code_runs(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SlidecafError, match=said):
        read_state(path)
    assert not Path("exploded").exists()


def test_weights_of_another_architecture_are_refused_with_what_differs():
    with pytest.raises(SlidecafError, match=r"does not fit SqueezeNet: missing .* unknown features\.3\.weight"):
        weights.load_state(small(), torchvision.models.alexnet(weights=None).state_dict(), "alexnet.pth")


def test_weights_in_use_have_to_be_there_and_unknown_ones_may_stand_where_nothing_runs():
    model = models.build("alexnet")
    traced = trace(model, ["classifier.5"])
    whole = torchvision.models.alexnet(weights=None).state_dict()
    for changed, said in (
        ({"classifier.4.bias": None}, r"missing classifier\.4\.bias\. Take"),
        ({"features.0.weight": torch.ones(1)}, r"of another shape features\.0\.weight\. Take"),
        ({"features.1.weight": torch.ones(64)}, r"unknown features\.1\.weight\. Take"),  # a normalisation, say
        ({"features.13.weight": torch.ones(1)}, r"unknown features\.13\.weight\. Take"),  # one more layer
        ({"cls": torch.ones(1)}, r"unknown cls\. Take"),
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


def test_code_in_weights_by_name_does_not_run(tmp_path, monkeypatch):
    """What lies in the cache already is not compared with its hash by torch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    named = weights.torchvision_weights("squeezenet1_0", "IMAGENET1K_V1")
    weights.checkpoint(named).parent.mkdir(parents=True)
    weights.checkpoint(named).write_bytes(bomb())
    with pytest.raises(SlidecafError, match=f"{tmp_path}.* loads without running code .*; delete it, and"):
        weights.download_state(named)
    assert not Path("exploded").exists()


def _refuse(*args, **kwargs):
    raise OSError("no network")


def fine_tuned(name="squeezenet1_0"):
    """A network for two classes, as people train it."""
    model = torchvision.models.get_model(name, weights=None, num_classes=2)
    weights.draw_weights(model, 1)
    return model


def load(state, name="squeezenet1_0", layer="features", path=None):
    """Load a file as an encoder does, and return the digest of what is in use."""
    if path is not None:
        torch.save(state, path)
        state = read_state(path)
    model = models.build(name)
    traced = trace(model, [layer])
    weights.load_state(model, state, "w.pth", traced)
    return weights.weights_sha256(model, traced.tensors)


def of(model, layer="features"):
    return weights.weights_sha256(model, trace(model, [layer]).tensors)


@pytest.mark.parametrize(("name", "layer"), [("squeezenet1_0", "features"), ("mobilenet_v2", "features.18.0")])
def test_what_stands_behind_the_layer_is_no_matter(name, layer):
    """Heads for other classes, with NaN, of other names, or none: the weights in use and their digest are the same."""
    model = fine_tuned(name).eval()
    state, expected = model.state_dict(), of(model.eval(), layer)
    headless = {key: value for key, value in state.items() if key.startswith("features")}
    for head in (
        {},
        {"classifier.1.weight": torch.full((2, 3), torch.nan)},
        {"classifier.1.0.weight": torch.ones(1), "classifier.9.bias": torch.ones(1)},
        {"head.weight": torch.ones(1), "fc.bias": torch.arange(3)},
    ):
        assert load(headless | head, name, layer) == expected


@pytest.mark.parametrize("prefix", ["module.", "model.", "backbone.", "encoder.", "net.", "_orig_mod.module.", "a.b."])
def test_what_stands_before_the_names_is_taken_off(prefix):
    model = fine_tuned().eval()
    state = {f"{prefix}{name}": value for name, value in model.state_dict().items()}
    assert load(state | {"projector.weight": torch.ones(2)}) == of(model)


@pytest.mark.parametrize("keys", [("state_dict",), ("model",), ("model_state_dict",), ("teacher",), ("ema", "module")])
def test_a_state_dict_among_other_things_is_found(tmp_path, keys):
    model = fine_tuned().eval()
    saved = {f"backbone.{name}": value for name, value in model.state_dict().items()}
    for key in reversed(keys):
        saved = {key: saved, "epoch": 7, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "args": [1, "x"]}
    assert load(saved, path=tmp_path / "w.pth") == of(model)


def test_of_a_student_and_a_teacher_nobody_guesses_which_is_meant(tmp_path):
    state = fine_tuned().state_dict()
    both = {"student": {f"module.{name}": value for name, value in state.items()}, "teacher": state}
    with pytest.raises(SlidecafError, match=r"holds 2 state dicts .*student/module\.\* and teacher/\*; save the one"):
        load(both, path=tmp_path / "w.pth")
    cut = {name: value for name, value in state.items() if "features.12" not in name}
    assert load({"student": cut, "teacher": state}) == of(fine_tuned().eval())  # one alone fits
    in_one = {f"{side}.{name}": value for side in ("encoder_q", "encoder_k") for name, value in state.items()}
    with pytest.raises(SlidecafError, match=r"encoder_q\.\* and encoder_k\.\*"):
        load(in_one)


def test_versions_of_modules_go_with_their_names(tmp_path):
    """MNASNet refuses a state dict whose version it does not know."""
    model = torch.nn.DataParallel(torchvision.models.mnasnet0_5(weights=None)).eval()
    assert load({"state_dict": model.state_dict()}, "mnasnet0_5", "layers", tmp_path / "w.pth") == of(
        model.module, "layers"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: None, r"does not fit SqueezeNet: missing features\.0\.weight"),
        (lambda value: value[:3], r"of another shape features\.0\.weight"),
        (lambda value: value.to(torch.int8), r"has int8 in features\.0\.weight, where the network has float32"),
        (lambda value: value * torch.nan, r"holds NaN or infinite values in features\.0\.weight"),
        (lambda value: value.double() * 1e300, r"holds NaN or infinite values in features\.0\.weight"),
    ],
    ids=["missing", "shape", "whole numbers", "NaN", "infinite in 32 bit"],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_tensor_in_use_that_will_not_do_is_named(change, said, wrapped):
    state = fine_tuned().state_dict()
    state["features.0.weight"] = change(state["features.0.weight"])
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(SlidecafError, match=said):
        load({"state_dict": {f"module.{name}": value for name, value in state.items()}} if wrapped else state)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_numbers_become_the_networks(kind):
    model = fine_tuned().eval()
    for parameter in model.parameters():
        parameter.data = parameter.data.to(kind).float()  # what 16 bit hold
    assert load({name: value.to(kind) for name, value in model.state_dict().items()}) == of(model)


def test_the_log_says_what_was_used_and_what_was_left_aside(caplog):
    caplog.set_level("INFO", "slidecaf")
    state = {f"module.{name}": value.half() for name, value in fine_tuned().state_dict().items()}
    load({"state_dict": state | {"queue": torch.ones(3)}})
    assert (
        "weights: of w.pth 50 tensors are used (state_dict/module.*; float16), and 3 are left aside: "
        "queue, classifier.1.weight, classifier.1.bias"
    ) in caplog.text


def test_counts_of_a_normalisation_may_be_missing_and_change_no_digest():
    model = fine_tuned("mobilenet_v2").eval()
    state = model.state_dict()
    without = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    counted = {**state, "features.0.1.num_batches_tracked": torch.tensor(12345)}
    assert load(without, "mobilenet_v2") == load(counted, "mobilenet_v2") == of(model)


def test_older_names_of_densenet_are_understood():
    """torchvision's own files of DenseNet have them, and its loader renames them as well."""
    model = fine_tuned("densenet121").eval()
    older = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name): value
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in older
    assert load(older, "densenet121") == of(model)


def test_safetensors_are_read(tmp_path):
    from safetensors.torch import save_file

    model, path = fine_tuned().eval(), tmp_path / "w.safetensors"
    save_file({f"model.{name}": value for name, value in model.state_dict().items()}, path)
    assert load(read_state(path)) == of(model)
    content = path.read_bytes()
    for damaged in (content[:100], content[:-100], b"", b"hello", bytes(1000)):
        path.write_bytes(damaged)
        with pytest.raises(SlidecafError, match=r"w\.safetensors is no whole safetensors file \(.*; take an undamaged"):
            read_state(path)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_that_the_machine_does_not_give_are_not_called_damaged(tmp_path, monkeypatch, suffix):
    def refuse(*arguments, **options):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / f"w.{suffix}").write_bytes(b"x")
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr("safetensors.torch.load_file", refuse)
    with pytest.raises(MachineError, match=r"weights: .*cannot be read \(Input/output error\).* may be good"):
        read_state(tmp_path / f"w.{suffix}")


def test_a_published_file_without_a_head_loads(shared_data):
    """Real weights of MobileNetV2's convolutions, as many published encoders are."""
    path = shared_data / "weights/mobilenet_v2_imagenet_features.pth"
    model = models.build("mobilenet_v2")
    traced = trace(model, ["features"])
    weights.load_state(model, read_state(path), str(path), traced)
    given = torch.load(path, weights_only=True)
    assert all(torch.equal(model.state_dict()[name], given[name]) for name in traced.tensors)
    assert {name for name in given if not name.endswith("num_batches_tracked")} == traced.tensors
