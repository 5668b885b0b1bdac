"""VGG-GAP as the paper has it, and its head on other networks."""

import pytest
import torch
from torch import nn
from torchvision import models

from slidecaf.errors import SlidecafError
from slidecaf.training.activation_maps import ActivationMaps
from slidecaf.training.gap import KNOWN, averaged
from slidecaf.training.networks import build_network, empty_network


def test_vgg_gap_is_the_papers():
    with torch.device("meta"):
        network = averaged("vgg16", models.vgg16(), 3)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    # "14 convolutional layers and one fully connected layer", "no padding in last two convolutional layers"
    assert [layer.padding for layer in convolutions] == 12 * [(1, 1)] + 2 * [(0, 0)]
    # "the first four of them used 2*2 max pooling with strides 2"
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in network.modules()) == 4
    cam, output = network.cam, network.output
    assert (cam.in_channels, cam.out_channels, cam.kernel_size, cam.groups) == (512, 1024, (3, 3), 2)
    assert (output.in_features, output.out_features, network.dropout.p) == (1024, 3, 0.5)
    order = [type(layer).__name__ for layer in list(network.children())[1:]]
    assert order == ["Conv2d", "ReLU", "AdaptiveAvgPool2d", "Flatten", "Dropout", "Linear"]
    # by hand: 13 convolutions of VGG-16, the one that is added, the linear layer
    assert sum(one.numel() for one in network.parameters()) == 14_714_688 + 256 * 9 * 1024 + 1024 + 1024 * 3 + 3
    assert network.border == 2


SMALL = {
    models.AlexNet: "alexnet",
    models.VGG: "vgg11_bn",
    models.SqueezeNet: "squeezenet1_0",
    models.ResNet: "resnet18",
    models.DenseNet: "densenet121",
    models.MobileNetV2: "mobilenet_v2",
    models.MobileNetV3: "mobilenet_v3_small",
    models.MNASNet: "mnasnet0_5",
    models.ShuffleNetV2: "shufflenet_v2_x0_5",
    models.EfficientNet: "efficientnet_b0",
    models.RegNet: "regnet_y_400mf",
    models.ConvNeXt: "convnext_tiny",
}


@pytest.mark.parametrize("family", KNOWN, ids=lambda family: family.__name__)
def test_every_family_gives_the_map_that_its_own_head_takes(family, settings):
    network = build_network(settings(architecture=SMALL[family], head="gap", input_size=128), 3, seed=1)
    kept, images = [], torch.zeros(1, 3, 128, 128, dtype=torch.uint8)
    network.model.cam.register_forward_pre_hook(lambda module, taken: kept.append(taken[0]))
    maps = ActivationMaps(network)
    found, _ = maps(images)
    assert (maps.kind, maps.layer) == ("cam", "cam_relu")
    assert found.shape[2] == kept[0].shape[2] - 2
    if family not in (models.ResNet, models.DenseNet, models.MobileNetV2, models.EfficientNet, models.RegNet):
        return
    # the network of torchvision has the mean of the same map in front of its classifier
    whole, taken = models.get_model(SMALL[family], weights=None).eval(), []
    whole.load_state_dict(network.model.state_dict(), strict=False)
    classifier = [module for module in whole.modules() if isinstance(module, nn.Linear)][-1]
    classifier.register_forward_pre_hook(lambda module, given: taken.append(given[0]))
    with torch.no_grad():
        whole((images.float() - network.mean) * network.scale)
    torch.testing.assert_close(kept[-1].mean((2, 3)), taken[0], rtol=1e-4, atol=1e-5)


def test_weights_are_those_of_the_convolutions_and_the_rest_is_drawn(tmp_path, settings):
    torch.manual_seed(0)
    state = models.mobilenet_v2(weights=None).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    chosen = settings(
        architecture="mobilenet_v2", head="gap", weights=str(tmp_path / "weights.pth"), tuned_blocks=1, input_size=96
    )
    one, same, other = (build_network(chosen, 3, seed=seed) for seed in (1, 1, 2))
    found = one.model.state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items() if key.startswith("features."))
    assert {key.split(".")[0] for key in found} == {"features", "cam", "output"}
    assert torch.equal(found["cam.weight"], same.model.cam.weight)
    assert not torch.equal(found["cam.weight"], other.model.cam.weight)
    # the last block, what is added and the output learn
    learns = {name.rsplit(".", 1)[0] for name, value in one.model.named_parameters() if value.requires_grad}
    assert learns == {"features.18.0", "features.18.1", "cam", "output"}
    again = empty_network(chosen, 3)
    again.model.load_state_dict(found)
    image = torch.full((1, 3, 96, 96), 7, dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(one.eval()(image), again.eval()(image))


def test_it_is_refused_where_there_is_no_map(settings):
    with pytest.raises(SlidecafError, match="head: vit_b_16 is not made of convolutions alone; write own, or"):
        build_network(settings(architecture="vit_b_16", head="gap"), 2)
    with pytest.raises(SlidecafError, match="input_size: mobilenet_v2 does not take images of 32 px"):
        build_network(settings(architecture="mobilenet_v2", head="gap", input_size=32), 2)
