"""Networks above their own size: fully connected layers as convolutions."""

import pytest
import torch
from torch import nn

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.convolved import Convolved
from slidecaf.features.networks.encoder import Encoder, Output, load_encoder


class Small(nn.Module):
    """A network of AlexNet's form that pads nothing: what it sees at a place is what it would see of a patch there."""

    own_size = 32  # gives a map of 3 x 3

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2, 2)
        )
        self.avgpool = nn.AdaptiveAvgPool2d((3, 3))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(8 * 9, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 7), nn.ReLU(), nn.Linear(7, 4)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


STRIDE = 8
"""Px of the image from one place of the small network's last map to the next."""


@pytest.fixture
def small():
    torch.manual_seed(0)
    return Small().eval()


@pytest.mark.parametrize("layer", ["classifier.2", "classifier.5", "classifier.6"])
@pytest.mark.parametrize("how", ["average", "max"])
def test_a_larger_image_is_the_plain_network_at_every_place_of_the_grid(small, layer, how):
    size = 32 + 4 * STRIDE
    image = torch.randint(0, 256, (1, 3, size, size), dtype=torch.uint8)
    plain = Encoder(small, layer, input_size=32)
    places = [
        plain(image[:, :, y : y + 32, x : x + 32])
        for y in range(0, size - 31, STRIDE)
        for x in range(0, size - 31, STRIDE)
    ]
    assert len(places) == 25
    expected = torch.stack(places).mean(0) if how == "average" else torch.stack(places).amax(0)
    found = Encoder(small, Output(layer, how), input_size=size)(image)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "size", "layers"),
    [
        ("alexnet", 224, ("classifier.2", "classifier.5")),
        ("vgg11", 224, ("classifier.1", "classifier.4")),
        ("overfeat-fast", 231, ("classifier.1", "classifier.3")),
    ],
)
def test_at_its_own_size_a_convolved_network_gives_the_plain_ones_values(model, size, layers):
    outputs = {f"fc{k}": {"layer": layer} for k, layer in enumerate(layers)}
    encoder = load_encoder({"model": model, "weights": "random:0", "input_size": size, "outputs": outputs})
    assert list(encoder.dimension.values())[-1] == 4096
    x = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        convolved = Convolved(encoder.model)
        assert convolved(x).shape == (2, 1000, 1, 1)
        torch.testing.assert_close(convolved(x)[:, :, 0, 0], encoder.model(x), rtol=1e-4, atol=1e-4)


def test_alexnet_at_544_averages_its_classifier_over_every_window_of_the_map():
    spec = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    own, large = load_encoder({**spec, "input_size": 224}), load_encoder({**spec, "input_size": 544})
    assert own.sha256 == large.sha256
    image = torch.randint(0, 256, (1, 3, 544, 544), dtype=torch.uint8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (own.mean, own.std))
    with torch.inference_mode():
        features = own.model.features((image / 255 - mean) / std)
        rows, columns = (side - 5 for side in features.shape[2:])
        windows = [features[:, :, y : y + 6, x : x + 6].flatten(1) for y in range(rows) for x in range(columns)]
        expected = torch.stack([own.model.classifier[:6](window) for window in windows]).mean(0)
    assert rows * columns > 1
    torch.testing.assert_close(large(image), expected, rtol=1e-3, atol=1e-4)


def test_a_layer_that_takes_no_map_is_an_error(small):
    small.classifier[2] = nn.BatchNorm1d(20)
    with pytest.raises(SlidecafError, match="input_size: Small has a BatchNorm1d"):
        Encoder(small, "classifier.5", input_size=64)


def test_overfeat_has_no_published_weights_and_takes_those_of_a_path(tmp_path):
    spec = {"model": "overfeat-fast", "layer": "classifier.3", "input_size": 231}
    with pytest.raises(SlidecafError, match="no published ones of overfeat-fast"):
        load_encoder({**spec, "weights": "IMAGENET1K_V1"})
    drawn = load_encoder({**spec, "weights": "random:3"})
    torch.save(drawn.model.state_dict(), tmp_path / "own.pth")
    assert load_encoder({**spec, "weights": str(tmp_path / "own.pth")}).sha256 == drawn.sha256
