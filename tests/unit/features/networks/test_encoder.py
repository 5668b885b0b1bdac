"""Encoders give what torchvision gives at the layer that the config names."""

import pytest
import torch
import torchvision
from torchvision.models.feature_extraction import create_feature_extractor

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import weights
from slidecaf.features.networks.encoder import MEAN, STD, Encoder, load_encoder


def spec(**changes):
    return {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64} | changes


def patches(count, size, seed=0):
    return torch.randint(
        0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def by_torchvision(model, layer, x):
    x = torchvision.transforms.functional.normalize(x.float() / 255, MEAN, STD)
    with torch.inference_mode():
        return create_feature_extractor(model.eval(), {layer: "out"})(x)["out"].clone()


def test_the_recipes_layer_is_the_second_to_last_fully_connected_one_after_its_relu():
    encoder = load_encoder(spec(model="alexnet", layer="classifier.5", input_size=224))
    x = patches(2, 224)
    model = torchvision.models.alexnet(weights=None)
    weights.draw_weights(model, 0)
    expected = by_torchvision(model, "classifier.5", x)
    features = encoder(x)
    assert features.shape == (2, 4096)
    assert (features >= 0).all()
    assert 0.2 < (features > 0).float().mean() < 0.8
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)


def test_a_layer_before_an_in_place_relu_keeps_its_negative_values():
    encoder = load_encoder(spec(model="alexnet", layer="classifier.4", input_size=224))
    assert (encoder(patches(1, 224)) < 0).any()


@pytest.mark.parametrize(
    ("model", "layer", "size", "dimension"),
    [
        ("squeezenet1_0", "features", 64, 512),
        ("resnet18", "layer4", 64, 512),
        ("resnet18", "avgpool", 64, 512),
        ("densenet121", "features", 64, 1024),
    ],
)
def test_a_spatial_map_is_averaged(model, layer, size, dimension):
    encoder = load_encoder(spec(model=model, layer=layer, input_size=size))
    x = patches(3, size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = torchvision.models.get_model(model, weights=None)
    weights.draw_weights(reference, 0)
    expected = by_torchvision(reference, layer, x).mean((2, 3))
    assert encoder.dimension == dimension
    torch.testing.assert_close(encoder(x), expected, rtol=1e-3, atol=1e-4)


def test_swins_maps_have_their_channels_last():
    assert load_encoder(spec(model="swin_t", layer="features", input_size=64)).dimension == 768


def test_a_transformers_tokens_are_averaged_and_every_weight_follows_the_seed():
    first = load_encoder(spec(model="vit_b_16", layer="encoder", input_size=224))
    assert first.dimension == 768
    assert first.sha256 == load_encoder(spec(model="vit_b_16", layer="encoder", input_size=224)).sha256


def test_real_imagenet_weights_load_and_see_something(shared_data):
    path = str(shared_data / "weights" / "squeezenet1_0_imagenet.pth")
    encoder = load_encoder(spec(weights=path, input_size=224))
    features = encoder(patches(2, 224))
    assert encoder.dimension == 512
    assert features.isfinite().all()
    assert features.std() > 0


def test_bf16_is_near_fp32():
    x = patches(4, 64)
    exact, near = (load_encoder(spec(), precision=precision)(x) for precision in ("fp32", "bf16"))
    assert torch.nn.functional.cosine_similarity(exact, near).min() > 0.999
    assert not torch.equal(exact, near)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "alexnt"}, "no classification model 'alexnt'; write one of alexnet"),
        ({"layer": "feature"}, "SqueezeNet has no 'feature'; near names: features"),
        ({"input_size": 3}, "does not take patches of 3 px"),
        ({"weights": "absent.pth"}, "no file absent.pth"),
        ({"model": "googlenet", "layer": "aux1"}, "'aux1' is not used when the network runs"),
        (
            {"model": "vit_b_16", "layer": "encoder.layers.encoder_layer_0.self_attention", "input_size": 224},
            "one tensor",
        ),
    ],
)
def test_what_cannot_be_had_is_an_error_that_says_what_to_write(change, said):
    with pytest.raises(SlidecafError, match=said):
        load_encoder(spec(**change))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which runs fp16")
def test_fp16_without_a_gpu_is_an_error():
    with pytest.raises(SlidecafError, match="fp16 needs a CUDA device"):
        Encoder(torchvision.models.squeezenet1_0(weights=None), "features", input_size=64, precision="fp16")
