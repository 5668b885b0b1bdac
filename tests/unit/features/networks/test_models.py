"""Models are built without values, and random weights are the same numbers from release to release."""

import pytest
import torch
import torchvision

from slidecaf.features.networks import models, weights

DIGESTS = {
    "alexnet": "d943e1a10a681c4fc36915e3e7955a62bb0e3903ba74e34853e6efac5966abb0",
    "squeezenet1_0": "9ea3faac0c7f228792f454a6ac60b4eec5e47dd5068fbf55c9b8f2a3145e3727",
    "vgg16": "59d476c8d7b90104de7c63d60cfb00377f7e4ff11da151f9c99d45021d0cb6d6",
    "resnet18": "e3d4f4a94987a3830b004536f7e71a2ba4b8eff0c56fdcccbde1bbbbdf987fc0",
    "mobilenet_v2": "2990547d2222a7037e85723652b8f62bc2afb3dded4cede93e89d1921ed2d950",
    "densenet121": "54f49478b7d3459c9bc6e23f2a82da7011a715040d75c93f0e9f863c31b3d6a7",
    "googlenet": "86daa7b8b4f01d136eff6bc3a73985ca3d36f2b1f65bde9b0666b7766539ac3d",
    "swin_t": "22f33e531ef45fa8f96bf2c8f7a5376c6c20c035253c78da4b501a049057acf4",
    "vit_b_16": "4a0c7edd2f3353f87c53d7cfab2fbcf29f9a06bcb41eea0b845cd65ff85c0d30",
    "regnet_y_400mf": "6950d7f10ee0b66957fda7b5d0c6ec50f7517e338a2eb55f74ba9424296173a5",
}
"""Of random:0, recorded with release 0.1.0."""


@pytest.mark.parametrize("name", DIGESTS)
def test_random_weights_are_those_of_the_first_release(name):
    torch.manual_seed(5)
    after = torch.random.get_rng_state()
    assert weights.weights_sha256(models.build_random(name, 0)) == DIGESTS[name]
    assert torch.equal(torch.random.get_rng_state(), after)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "inception_v3"])
def test_random_models_keep_torchvisions_normalisation(name):
    own, reference = (
        models.build_random(name, 0),
        torchvision.models.get_model(name, weights=None, **OPTIONS.get(name, {})),
    )
    expected = reference.state_dict()
    assert own.state_dict().keys() == expected.keys()
    for key, module in reference.named_modules():
        if isinstance(module, models.UNDRAWN):
            for tensor in module.state_dict(prefix=f"{key}."):
                assert torch.equal(own.state_dict()[tensor], expected[tensor])
    assert not own.training


OPTIONS = {"inception_v3": {"init_weights": False}}


@pytest.mark.parametrize("name", ["alexnet", "densenet121", "maxvit_t", "regnet_y_400mf", "swin_v2_t"])
def test_a_model_without_values_takes_a_state_dict_of_its_own(name):
    model = models.build(name)
    assert all(tensor.is_meta for tensor in model.state_dict().values())
    assert not model.training
    given = models.build_random(name, 1)
    weights.load_state(model, given.state_dict(), "w.pth")
    assert weights.weights_sha256(model) == weights.weights_sha256(given)
