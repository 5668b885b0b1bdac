"""What is trained: from scratch, from weights, wholly or its last blocks."""

import pytest
import torch
from torchvision import models

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.attention import Attention
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.training.file import read_tensors, write_tensors
from slidecaf.training.networks import build_network, empty_network


@pytest.fixture
def saved(tmp_path):
    """Weights of a MobileNetV2, as torchvision builds it."""
    torch.manual_seed(0)
    model = models.mobilenet_v2(weights=None)
    torch.save(model.state_dict(), tmp_path / "mobilenet.pth")
    return tmp_path / "mobilenet.pth", model.state_dict()


def test_the_seed_draws_all_values(settings):
    one, same, other = (build_network(settings(), 3, seed=seed).model.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["conv1_1.0.weight"], other["conv1_1.0.weight"])


def test_a_network_of_torchvision_has_the_weights_and_an_output_of_its_own(saved, settings):
    path, state = saved
    chosen = settings(architecture="mobilenet_v2", weights=str(path))
    network = build_network(chosen, 3, seed=0)
    found = network.model.state_dict()
    assert found["classifier.1.weight"].shape == (3, 1280)
    apart = [key for key in found if key.startswith("classifier") or not torch.equal(found[key], state[key])]
    assert sorted(apart) == ["classifier.1.bias", "classifier.1.weight"]
    assert network(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 3)


def test_an_image_is_normalised_as_the_weights_were_trained(saved, settings):
    path, _ = saved
    network = build_network(settings(architecture="mobilenet_v2", weights=str(path)), 3).eval()
    image = torch.randint(0, 255, (1, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normal = (image / 255 - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(network(image), network.model(normal), rtol=1e-4, atol=1e-5)


def test_blocks_that_are_not_tuned_do_not_change(saved, settings, trained):
    path, state = saved
    chosen = settings(architecture="mobilenet_v2", weights=str(path), tuned_blocks=1, epochs=1, input_size=32)
    found = trained(chosen, build=lambda: build_network(chosen, 2)).state
    changed = {
        key.rsplit(".", 1)[0]
        for key in found
        if found[key].shape != state[key].shape or not torch.equal(found[key], state[key])
    }
    # the last block is the convolution in front of the output; statistics of the others stay too
    assert changed == {"features.18.0", "features.18.1", "classifier.1"}
    with pytest.raises(
        SlidecafError, match="tuned_blocks: MobileNetV2 has 19 blocks beside its output and not 20; write 19"
    ):
        build_network(settings(architecture="mobilenet_v2", weights=str(path), tuned_blocks=20), 2)


def test_attention_begins_with_the_weights_of_a_residual_network_and_an_alpha_of_its_own(settings, tmp_path):
    torch.manual_seed(0)
    plain = models.resnet50(weights=None).eval()
    torch.save({"epoch": 3, "model": plain.state_dict()}, tmp_path / "resnet50.pth")
    chosen = settings(architecture="arl-50", weights=str(tmp_path / "resnet50.pth"))
    network = build_network(chosen, 1000).eval()
    blocks = [module for module in network.model.modules() if isinstance(module, Attention)]
    assert [block.alpha.item() for block in blocks] == [pytest.approx(0.001)] * 16
    network.model.fc = plain.fc
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for block in blocks:
            block.alpha.zero_()
        torch.testing.assert_close(network.model(images), plain(images), rtol=1e-4, atol=1e-5)


def test_alpha_is_learned_and_a_file_that_has_it_keeps_it(settings, trained, tmp_path):
    chosen = settings(architecture="arl-14", epochs=1, input_size=32)
    found = trained(chosen, build=lambda: build_network(chosen, 2)).state
    learned = {key: value.item() for key, value in found.items() if key.endswith("alpha")}
    assert len(learned) == 4
    assert all(value != pytest.approx(0.001, rel=1e-6) for value in learned.values())
    torch.save(found, tmp_path / "arl.pth")
    again = build_network(settings(architecture="arl-14", weights=str(tmp_path / "arl.pth")), 3).model.state_dict()
    assert {key: again[key].item() for key in learned} == learned
    # a residual network of 14 layers has no alpha, and cannot take one
    with pytest.raises(SlidecafError, match="does not fit ResNet: unknown"):
        build_network(settings(architecture="resnet-14", weights=str(tmp_path / "arl.pth")), 3)


def test_weights_of_another_network_are_refused(saved, settings):
    path, _ = saved
    with pytest.raises(SlidecafError, match=r"weights: .*mobilenet\.pth does not fit ResNet"):
        build_network(settings(architecture="resnet18", weights=str(path)), 2)
    with pytest.raises(SlidecafError, match="does not fit Sequential"):
        build_network(settings(weights=str(path)), 2)


def test_what_cannot_be_trained_is_said(settings):
    with pytest.raises(SlidecafError, match="input_size: of 30 px nothing is left after four poolings; write 31 px"):
        build_network(settings(input_size=30), 2)
    with pytest.raises(SlidecafError, match="architecture: inception_v3 is not trained here"):
        build_network(settings(architecture="inception_v3"), 2)
    with pytest.raises(SlidecafError, match="no classification model 'mobilnet_v2'; write one of mobilenet_v2"):
        build_network(settings(architecture="mobilnet_v2"), 2)
    with pytest.raises(SlidecafError, match="input_size: vit_b_16 does not take images of 32 px"):
        build_network(settings(architecture="vit_b_16"), 2)


def test_a_trained_network_comes_back_from_its_file(settings, tmp_path):
    network = build_network(settings(), 3, seed=4).eval()
    for name in ("one", "two"):
        write_tensors(tmp_path / name, network.model.state_dict(), {"part": "fold-0", "images": {"a": "1", "b": "2"}})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    tensors, said = read_tensors(tmp_path / "one")
    again = empty_network(settings(), 3).eval()
    again.model.load_state_dict(tensors)
    image = torch.full((1, 3, 32, 32), 100, dtype=torch.uint8)
    assert torch.equal(again(image), network(image))
    assert said["images"] == {"a": "1", "b": "2"}
    # which training may begin with, and an encoder too
    (tmp_path / "one").rename(tmp_path / "own.safetensors")
    tuned = build_network(settings(weights=str(tmp_path / "own.safetensors")), 5).model.state_dict()
    assert torch.equal(tuned["dense1.0.weight"], tensors["dense1.0.weight"])
    assert tuned["output.weight"].shape == (5, 256)


@pytest.mark.parametrize("name", ["arl-14", "resnet-14", "senet-14", "ran-14", "mobilenet_v3_small"])
def test_a_network_trained_here_is_an_encoder_with_the_same_layers(settings, tmp_path, name):
    network = build_network(settings(architecture=name), 3, seed=4).eval()
    write_tensors(tmp_path / "network.safetensors", network.model.state_dict(), {"part": "final"})
    layer, seen = "features" if name.startswith("mobilenet") else "layer4", []
    network.model.get_submodule(layer).register_forward_hook(lambda module, given, out: seen.append(out))
    images = torch.randint(0, 255, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    with torch.inference_mode():
        network(images)
    weights = str(tmp_path / "network.safetensors")
    encoder = load_encoder({"model": name, "layer": layer, "weights": weights, "input_size": 32})
    torch.testing.assert_close(encoder(images), seen[0].mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(SlidecafError, match="is missing; delete it and run again"):
        read_tensors(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(SlidecafError, match=r"bad\.safetensors is damaged"):
        read_tensors(tmp_path / "bad.safetensors")
