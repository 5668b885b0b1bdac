"""Where a network sees a class: maps by the formula, that add up to the logit, and gradients that say the same."""

import pytest
import torch
from torch import nn
from torchvision import models

from slidecaf.errors import SlidecafError
from slidecaf.training.activation_maps import ActivationMaps
from slidecaf.training.networks import Network, build_network

SIZE = 64


class Averaging(nn.Module):
    """Two channels of a map, averaged, and two classes of them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.dropout, self.fc = nn.Dropout(0.5), nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0]])[..., None, None])
            self.fc.weight.copy_(torch.tensor([[1.0, 2], [-3, 0.5]]))
            self.fc.bias.copy_(torch.tensor([0.25, -1]))

    def forward(self, x):
        return self.fc(self.dropout(self.conv(x).mean((2, 3))))


class Unnormalised(Network):
    """A network that takes values as they are."""

    def forward(self, images):
        return self.model(images.float())


def noise(size=SIZE, n=2):
    return torch.randint(256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def randomised(name, classes=3, size=SIZE):
    """A network of torchvision with seeded values, whose batch normalisations are not the identity."""
    torch.manual_seed(0)
    model = models.get_model(name, weights=None, num_classes=classes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return Network(model, grey=False, input_size=size).eval()


def test_the_map_of_a_class_is_its_weights_times_the_map():
    maps = ActivationMaps(Unnormalised(Averaging(), grey=False, input_size=2))
    image = torch.tensor([[[1, 2], [3, 4]], [[10, 0], [0, 0]], [[9, 9], [9, 9]]], dtype=torch.uint8)
    found, logits = maps(image[None])
    assert (maps.kind, maps.layer) == ("cam", "conv")
    # 1 x red + 2 x green; -3 x red + 0.5 x green
    assert found[0].tolist() == [[[21, 2], [3, 4]], [[2, -6], [-9, -12]]]
    assert logits[0].tolist() == [30 / 4 + 0.25, -25 / 4 - 1]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("mobilenet_v2", "features.18.2"),
        ("resnet18", "layer4.1"),
        ("densenet121", "features.norm5"),
        ("efficientnet_b0", "features.8.2"),
        ("shufflenet_v2_x0_5", "conv5.2"),
        ("regnet_y_400mf", None),
    ],
)
def test_the_mean_of_a_map_and_the_bias_are_the_logit(name, layer):
    network = randomised(name)
    maps = ActivationMaps(network)
    found, logits = maps(noise())
    assert maps.kind == "cam"
    assert layer in (None, maps.layer)
    assert found.shape[1] == 3
    assert found.shape[2] > 1
    bias = maps._head.bias.detach()
    torch.testing.assert_close(found.mean((2, 3)) + bias, logits, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(logits, network(noise()))


def test_of_a_network_that_averages_its_map_gradients_give_the_same():
    network = randomised("resnet18")
    maps = ActivationMaps(network)
    exact, _ = maps(noise())
    maps.kind = "grad-cam"
    found, _ = maps(noise())
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "layer"),
    [("vgg11", 64, "features.19"), ("squeezenet1_1", 64, "features.12"), ("alexnet", 96, "features.11")],
)
def test_other_networks_have_gradients(name, size, layer):
    network = randomised(name, size=size)
    maps = ActivationMaps(network)
    found, logits = maps(noise(size))
    assert (maps.kind, maps.layer) == ("grad-cam", layer)
    # by hand: the layer's output as a leaf of its own
    kept = []
    hook = network.model.get_submodule(layer).register_forward_hook(
        lambda module, taken, value: kept.append(value) or value.clone()
    )
    given = network(noise(size))
    hook.remove()
    kept[0].retain_grad()
    given[:, 1].sum().backward()
    by_hand = (kept[0].grad.sum((2, 3), keepdim=True) * kept[0]).sum(1)
    torch.testing.assert_close(found[:, 1], by_hand.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(logits, given.detach())


def test_the_custom_network_has_gradients_at_its_last_convolution(settings):
    network = build_network(settings(), 2, seed=1)
    maps = ActivationMaps(network)
    found, _ = maps(noise(32))
    assert (maps.kind, maps.layer) == ("grad-cam", "conv4_3.2")
    assert found.shape == (2, 2, 3, 3)


def test_values_that_do_not_learn_have_maps_too():
    network = randomised("vgg11")
    network.requires_grad_(False)
    found, _ = ActivationMaps(network)(noise())
    assert found.abs().max() > 0
    assert all(one.grad is None for one in network.parameters())


def test_a_network_without_places_is_refused():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(SlidecafError, match="Sequential has no map of places"):
        ActivationMaps(Unnormalised(flat, grey=False, input_size=2))
