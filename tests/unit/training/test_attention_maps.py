"""Maps of attention: what a stage's last block gives, by hand."""

import pytest
import torch

from slidecaf.errors import SlidecafError
from slidecaf.features.networks import models
from slidecaf.features.networks.attention import NETWORKS
from slidecaf.study.config import ATTENDING
from slidecaf.training.attention_maps import AttentionMaps
from slidecaf.training.networks import Network, build_network


@pytest.fixture
def shown():
    return torch.randint(0, 255, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_a_map_is_the_mean_of_the_softmaxes_of_a_stages_last_block(settings, shown):
    network = build_network(settings(architecture="arl-50", input_size=64), 3, seed=1)
    seen, stage = {}, network.model.layer3
    stage[5].bn3.register_forward_hook(lambda _, __, given: seen.update(found=given.detach().clone()))
    stage[5].attention.alpha.data.fill_(0.5)
    drawn = AttentionMaps(network, "layer3")
    assert (drawn.stages, drawn.layer) == (["layer1", "layer2", "layer3", "layer4"], "layer3.5.attention")
    maps, logits = drawn(shown)
    shares = seen["found"].double().flatten(2).softmax(2).reshape(2, 1024, 4, 4)
    expected = 0.5 * shares.mean(1, keepdim=True)
    assert maps.shape == (2, 1, 4, 4)
    torch.testing.assert_close(maps.double(), expected, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(maps.sum((1, 2, 3)), torch.full((2,), 0.5))
    torch.testing.assert_close(logits, network(shown).detach())
    assert AttentionMaps(network).layer == "layer4.2.attention"


def test_a_mask_is_drawn_too(settings, shown):
    network = build_network(settings(architecture="ran-14", input_size=64), 2)
    maps, _ = AttentionMaps(network, "layer2")(shown)
    assert maps.shape == (2, 1, 8, 8)
    assert 0 < maps.min() <= maps.max() < 1


def test_the_config_knows_which_networks_have_attention():
    for name in NETWORKS:
        network = Network(models.build(name), grey=False, input_size=64)
        stages = AttentionMaps(network).stages if name in ATTENDING else None
        assert bool(stages) == (name in ATTENDING)
        if name not in ATTENDING:
            with pytest.raises(SlidecafError, match="has no attention"):
                AttentionMaps(network)


def test_a_network_without_attention_is_refused(settings):
    with pytest.raises(SlidecafError, match="has no attention that could be drawn; take arl-14"):
        AttentionMaps(build_network(settings(architecture="resnet-14"), 2))
    with pytest.raises(SlidecafError, match="no attention in 'layer5'; write one of layer1, layer2"):
        AttentionMaps(build_network(settings(architecture="arl-14"), 2), "layer5")
