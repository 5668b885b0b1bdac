"""Every module that runs is a layer, several come out of one pass unspoilt, and nothing behind the last one runs."""

import pytest
import torch
import torchvision
from torch import fx, nn

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.layers import trace
from slidecaf.features.networks.models import build, build_random


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks on a busy machine: threads would wait for one another most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def recorded(model, x):
    """What each module gives when it first runs, by hooks, as it is before anything changes it in place."""
    outputs, handles = {}, []
    for name, module in model.named_modules():

        def keep(module, inputs, output, name=name):
            if name and isinstance(output, torch.Tensor):
                outputs.setdefault(name, output.clone())

        handles.append(module.register_forward_hook(keep))
    with torch.inference_mode():
        model(x)
    for handle in handles:
        handle.remove()
    return outputs


def run(model, layers, x):
    with torch.inference_mode():
        return fx.GraphModule(model, trace(model, layers).graph)(x)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", 64),
        ("squeezenet1_0", 64),
        ("resnet18", 64),
        ("mobilenet_v2", 64),
        ("mobilenet_v3_small", 64),
        ("googlenet", 64),
        ("shufflenet_v2_x0_5", 64),
        ("efficientnet_b0", 64),
        ("swin_t", 64),
    ],
)
def test_all_layers_of_one_pass_are_what_hooks_see_of_the_network_itself(name, size):
    """In-place ReLUs, additions in place and functional ones would change a layer's output after it was given."""
    model = build_random(name, 0)
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    expected = recorded(model, x)
    assert len(expected) > 15
    for layer, given in zip(expected, run(model, list(expected), x), strict=True):
        assert torch.equal(given, expected[layer]), layer


def test_layers_within_a_transformers_block_are_found():
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 12}
    model = torchvision.models.VisionTransformer(image_size=32, patch_size=16, **sizes).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = recorded(model, x)
    assert "encoder.layers.encoder_layer_0.mlp.0" in expected
    for layer, given in zip(expected, run(model, list(expected), x), strict=True):
        assert torch.equal(given, expected[layer]), layer


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (lambda: build_random("alexnet", 0), ["classifier.4", "classifier.5"]),
        (lambda: build_random("resnet18", 0), ["layer4.1.bn2", "layer4"]),  # the block adds in place
        (lambda: torchvision.models.DenseNet(4, (2, 2), 8), ["features", "classifier"]),  # F.relu(..., inplace=True)
        (lambda: build_random("mobilenet_v2", 0), ["features.0.0", "features.0.1", "features.0"]),
        (lambda: build_random("resnet18", 0), ["layer4", "layer1"]),  # not in the order in which they run
    ],
    ids=["AlexNet", "ResNet", "DenseNet", "MobileNet", "backwards"],
)
def test_each_of_several_layers_is_that_of_a_pass_of_its_own(make, layers):
    model = make().eval()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for layer, given in zip(layers, run(model, layers, x), strict=True):
        (alone,) = run(model, [layer], x)
        assert torch.equal(given, alone), layer


def test_what_lies_behind_the_last_layer_does_not_run_nor_is_it_needed():
    model = build("alexnet")
    traced = trace(model, ["features.3", "features.1"])
    assert traced.tensors == {"features.0.weight", "features.0.bias", "features.3.weight", "features.3.bias"}
    assert "features.3" in traced.modules
    assert "features" in traced.modules
    assert not {"features.4", "avgpool", "classifier", "classifier.1"} & traced.modules
    model.to_empty(device="cpu")
    network, ran = fx.GraphModule(model, traced.graph), []
    for module in model.modules():
        module.register_forward_hook(lambda module, inputs, output: ran.append(module))
    network(torch.zeros(1, 3, 64, 64))
    assert ran == list(model.features[:4])


def test_assertions_behind_the_layer_keep_no_block_of_a_transformer():
    traced = trace(build("vit_b_16"), ["encoder.layers.encoder_layer_0"])
    assert not any("encoder_layer_1." in name for name in traced.tensors)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared, self.pair, self.idle = nn.Conv2d(3, 3, 1), Pair(), nn.ReLU()

    def forward(self, x):
        return self.pair(self.shared(self.shared(x)))[0]


class Pair(nn.Module):
    def forward(self, x):
        return x, x + 1


def test_a_module_that_runs_twice_gives_its_first_output():
    model, x = Twice().eval(), torch.ones(1, 3, 4, 4)
    assert torch.equal(run(model, ["shared"], x)[0], model.shared(x))


@pytest.mark.parametrize(
    ("layer", "said"),
    [("share", "Twice has no 'share'; near names: shared"), ("idle", "'idle' is not used"), ("pair", "one tensor")],
)
def test_what_is_no_layer_is_an_error_that_says_what_to_write(layer, said):
    with pytest.raises(SlidecafError, match=said):
        trace(Twice().eval(), ["shared", layer])
