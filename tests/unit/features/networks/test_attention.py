"""Attention residual learning: the formula by hand, ResNet where alpha is 0, sizes beside the paper's."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models as torchvision_models

from slidecaf.features.networks import attention, models
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.study.config_checks import UNPUBLISHED
from slidecaf.training.networks import BEGINS_WITH, published

PAPER = {"resnet-14": 0.8, "ran-14": 1.2, "senet-14": 1.1, "arl-14": 0.8, "arl-50": 2.3}
"""Numbers of values in units of ten millions, by the seed's table."""

OWN = {"resnet-14": 8_020_034, "ran-14": 12_245_570, "senet-14": 8_720_434, "arl-14": 8_020_038, "arl-50": 23_512_146}


def counted(model):
    model.fc = nn.Linear(2048, 2, device="meta")
    return sum(tensor.numel() for tensor in model.parameters())


def test_attention_is_alpha_times_a_softmax_over_the_places_of_each_channel():
    found = torch.tensor([[[[1.0, 2.0], [3.0, 0.0]], [[0.0, 0.0], [0.0, 5.0]]]])
    module = attention.Attention()
    module.alpha.data.fill_(0.5)
    expected = np.empty((1, 2, 2, 2))
    for channel, values in enumerate(([1, 2, 3, 0], [0, 0, 0, 5])):
        powers = np.exp(values)
        expected[0, channel] = (0.5 * powers / powers.sum()).reshape(2, 2)
    np.testing.assert_allclose(module(found).detach().numpy(), expected, rtol=1e-6)
    # and far outside what exp can hold
    far = module(torch.tensor([[[[1000.0, 1000.0], [-1000.0, 1000.0]]]])).detach()
    np.testing.assert_allclose(far[0, 0], [[1 / 6, 1 / 6], [0, 1 / 6]], rtol=1e-4)


def test_a_block_is_the_papers_formula():
    """Of one channel and two places, with F(x) = 2 x - 1 by hand."""
    block = attention.AttentionBlock(4, 1).eval()
    x = torch.tensor([[0.0, 1.0], [2.0, 0.5], [1.0, 1.0], [0.0, 3.0]]).reshape(1, 4, 1, 2)
    found = 2 * x - 1
    block.conv1, block.bn1, block.relu = (nn.Identity() for _ in range(3))
    block.conv2, block.bn2, block.conv3 = (nn.Identity() for _ in range(3))
    block.bn3 = _Scaled()
    block.attention.alpha.data.fill_(0.25)
    expected = []
    for own, seen in zip(x[0, :, 0].tolist(), found[0, :, 0].tolist(), strict=True):
        total = sum(np.exp(value) for value in seen)
        expected.append([a + f + 0.25 * np.exp(f) / total * a for a, f in zip(own, seen, strict=True)])
    np.testing.assert_allclose(block(x).detach()[0, :, 0], expected, rtol=1e-6)


class _Scaled(nn.Module):
    def forward(self, x):
        return 2 * x - 1


def test_a_block_that_halves_the_map_weights_what_its_shortcut_makes_of_it():
    model = models.build_random("arl-14", 0)
    block, seen = model.layer2[0], {}
    for name in ("bn3", "downsample", "attention"):
        block.get_submodule(name).register_forward_hook(lambda _, __, given, name=name: seen.update({name: given}))
    x = torch.rand(1, 256, 8, 8, generator=torch.Generator().manual_seed(0))
    given = block(x)
    assert seen["attention"].shape == seen["downsample"].shape == (1, 512, 4, 4)
    torch.testing.assert_close(seen["attention"].sum((2, 3)), torch.full((1, 512), attention.ALPHA))
    expected = seen["bn3"] + seen["downsample"] + seen["attention"] * seen["downsample"]
    assert torch.equal(given, torch.relu(expected))
    assert not torch.equal(given, torch.relu(seen["bn3"] + seen["downsample"]))


@pytest.mark.parametrize("name", ["arl-14", "arl-50"])
def test_with_alpha_0_it_is_resnet_to_the_bit(name):
    own = models.build_random(name, 3)
    state = {key: value for key, value in own.state_dict().items() if "alpha" not in key}
    plain = models.build("resnet-14" if name == "arl-14" else "resnet50")
    plain.load_state_dict(state, assign=True)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert not torch.equal(own(images), plain(images))
        for module in own.modules():
            if isinstance(module, attention.Attention):
                module.alpha.zero_()
        assert torch.equal(own(images), plain(images))


@pytest.mark.parametrize("name", attention.NETWORKS)
def test_a_network_has_the_papers_number_of_values(name):
    model = models.build(name)
    count = counted(model)
    assert count == OWN[name]
    if name != "senet-14":
        assert count / 1e7 == pytest.approx(PAPER[name], abs=0.06)


def test_squeeze_and_excitation_by_4_would_have_the_papers_number_of_values(monkeypatch):
    monkeypatch.setattr(attention, "REDUCTION", 4)
    assert counted(models.build("senet-14")) / 1e7 == pytest.approx(PAPER["senet-14"], abs=0.06)


@pytest.mark.parametrize("name", ["arl-14", "senet-14", "ran-14"])
def test_any_size_of_image_will_do_and_all_places_of_a_layer_are_had(name):
    model = models.build_random(name, 0)
    with torch.inference_mode():
        assert all(model(torch.zeros(1, 3, side, side)).shape == (1, 1000) for side in (32, 63, 112))
    spec = {"model": name, "layer": "layer4", "weights": "random:0", "input_size": 96, "map": "places"}
    assert load_encoder(spec).places(torch.zeros(1, 3, 96, 96, dtype=torch.uint8)).shape == (1, 3, 3, 2048)


def test_a_squeezed_channel_is_weighted_by_all_channels_means():
    model = models.build_random("senet-14", 0)
    block = model.layer1[0]
    found, x = torch.rand(1, 256, 3, 3), torch.rand(1, 256, 3, 3)
    means = found.mean((2, 3))[0]
    inner = torch.relu(block.squeeze.fc1.weight[:, :, 0, 0] @ means + block.squeeze.fc1.bias)
    scale = torch.sigmoid(block.squeeze.fc2.weight[:, :, 0, 0] @ inner + block.squeeze.fc2.bias)
    torch.testing.assert_close(block.joined(found, x), scale[:, None, None] * found + x)


def test_a_mask_leaves_a_place_as_it_is_or_doubles_it():
    module = attention.MaskedStage(16, 2).eval()
    x = torch.rand(2, 16, 9, 9)
    torch.nn.init.zeros_(module.mask[3].weight)
    for bias, factor in ((-100, 1), (0, 1.5), (100, 2)):
        torch.nn.init.constant_(module.mask[3].bias, bias)
        torch.testing.assert_close(module(x), factor * x)


def test_published_weights_are_torchvisions_own_or_none():
    names = {*UNPUBLISHED, *BEGINS_WITH}
    assert names == {"custom-cnn", *attention.NETWORKS}
    assert published("arl-50") == "resnet50"
    own, other = models.build("arl-50").state_dict(), torchvision_models.resnet50(weights=None).state_dict()
    assert {key: value.shape for key, value in own.items() if "alpha" not in key} == {
        key: value.shape for key, value in other.items()
    }
