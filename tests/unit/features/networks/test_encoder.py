"""Encoders give what torchvision gives at the layer that the config names."""

import doctest

import pytest
import torch
import torchvision
from torchvision.models.feature_extraction import create_feature_extractor

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import encoder as encoders
from slidecaf.features.networks import weights
from slidecaf.features.networks.encoder import MEAN, STD, Encoder, Output, load_encoder


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


@pytest.mark.parametrize(
    ("model", "size", "outputs"),
    [
        ("alexnet", 64, {"before": {"layer": "classifier.4"}, "after": {"layer": "classifier.5"}}),
        ("mobilenet_v2", 64, {"late": {"layer": "features"}, "early": {"layer": "features.0.0", "map": "average"}}),
    ],
)
def test_each_of_several_outputs_is_that_of_an_encoder_of_its_own(model, size, outputs):
    several = load_encoder(spec(model=model, input_size=size, outputs=outputs))
    x = patches(2, size)
    features = several(x)
    assert list(features) == list(outputs)
    for name, output in outputs.items():
        alone = load_encoder(spec(model=model, layer=output["layer"], input_size=size))
        assert torch.equal(features[name], alone(x))
        assert several.dimension[name] == alone.dimension
        assert (several.sha256 == alone.sha256) == (several._tensors == alone._tensors)


def test_a_maps_largest_values_may_be_its_vector():
    model = torchvision.models.squeezenet1_0(weights=None).eval()
    weights.draw_weights(model, 0)
    expected = by_torchvision(model, "features", patches(2, 64)).amax((2, 3))
    encoder = Encoder(model, {"largest": Output("features", map="max"), "mean": Output("features")}, input_size=64)
    features = encoder(patches(2, 64))
    torch.testing.assert_close(features["largest"], expected, rtol=1e-4, atol=1e-4)
    assert (features["largest"] >= features["mean"]).all()
    assert (features["largest"] > features["mean"]).any()


def test_another_way_to_make_a_vector_of_a_map_is_an_error():
    with pytest.raises(SlidecafError, match=r"map: 'largest'.*write average, max or places"):
        load_encoder(spec(outputs={"a": {"layer": "features", "map": "largest"}}))


def test_weights_behind_the_layer_may_be_missing_or_of_another_network(tmp_path):
    """A network that was trained for other classes, with a head of its own."""
    model = torchvision.models.squeezenet1_0(weights=None)
    weights.draw_weights(model, 0)
    state = model.state_dict()
    whole = load_encoder(spec())(patches(2, 64))
    cut = {name: value for name, value in state.items() if not name.startswith("classifier")}
    other = {"classifier.1.weight": torch.ones(2, 512, 1, 1), "classifier.1.head.bias": torch.ones(2)}
    for given in (state, cut, cut | other):
        torch.save(given, tmp_path / "w.pth")
        encoder = load_encoder(spec(weights=str(tmp_path / "w.pth")))
        assert torch.equal(encoder(patches(2, 64)), whole)
        assert encoder.sha256 == load_encoder(spec()).sha256


def test_examples_of_the_documentation_hold():
    failed, attempted = doctest.testmod(encoders)
    assert (failed, attempted > 3) == (0, True)


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
