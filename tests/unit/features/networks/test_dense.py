"""A network run over a region gives what it gives patch by patch, wherever no padding comes between."""

import re

import pytest
import torch
import torchvision
from torch import nn

from slidecaf.errors import SlidecafError
from slidecaf.features.networks.dense import DenseEncoder
from slidecaf.features.networks.encoder import MEAN, STD, Encoder, Output, load_encoder
from slidecaf.features.networks.weights import draw_weights


class Connected(nn.Module):
    """Convolutions, pooling and fully connected layers as in AlexNet, small and without padding."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5, 2), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)
        )
        self.avgpool = nn.AdaptiveAvgPool2d((5, 5))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(200, 20), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(20, 10), nn.ReLU()
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Averaged(nn.Sequential):
    """A map of places 4 px apart, without padding."""

    def __init__(self, padding=0):
        layers = [nn.Conv2d(3, 6, 5, 2, padding), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=padding), nn.ReLU()]
        super().__init__(*layers, nn.MaxPool2d(3, 2, ceil_mode=padding > 0))


def drawn(model, layer, input_size, **options):
    draw_weights(model, 0)
    return Encoder(model.eval(), layer, input_size=input_size, **options)


def noise(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8, generator=generator)


def one_by_one(encoder, region, start, step, rows, columns):
    size = encoder.input_size
    places = [(start + i * step, start + j * step) for i in range(rows) for j in range(columns)]
    patches = torch.cat([region[:, :, y : y + size, x : x + size] for y, x in places])
    return encoder(patches).view(rows, columns, -1)


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks on a busy machine: threads would wait for one another most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("step", [1, 2, 5])
def test_without_padding_the_means_of_a_map_are_those_of_the_patches(step):
    encoder = drawn(Averaged(), "4", 42)
    dense = DenseEncoder(encoder)
    assert dense.total_stride == 4
    assert dense.dimension == 8
    region = noise(120, 140)
    features = dense(region, step=step, first=3, rows=2, columns=3)
    expected = one_by_one(encoder, region, 3 * 4, step * 4, 2, 3)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("layer", ["classifier.1", "classifier.2", "classifier.3", "classifier.4", "classifier.5"])
@pytest.mark.parametrize("step", [1, 3])
def test_without_padding_fully_connected_layers_give_what_they_give_to_patches(layer, step):
    encoder = drawn(Connected(), layer, 29)
    dense = DenseEncoder(encoder)
    assert dense.total_stride == 2
    region = noise(100, 110)
    features = dense(region, step=step, first=2, rows=3, columns=4)
    expected = one_by_one(encoder, region, 2 * 2, step * 2, 3, 4)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    assert (features < 0).any() == (layer in ("classifier.1", "classifier.4"))


@pytest.mark.parametrize(("make", "layer", "size"), [(Averaged, "4", 42), (Connected, "classifier.4", 29)])
def test_at_bf16_features_are_near_those_at_fp32_and_come_out_as_fp32(make, layer, size):
    region, options = noise(60, 60), {"step": 1, "first": 2, "rows": 2, "columns": 3}
    low, full = (
        DenseEncoder(drawn(make(), layer, size, precision=precision))(region, **options)
        for precision in ("bf16", "fp32")
    )
    assert low.dtype == torch.float32
    assert not torch.equal(low, full)
    torch.testing.assert_close(low, full, rtol=3e-2, atol=3e-2 * full.abs().max().item())


def test_a_whole_classifier_is_its_last_layer():
    region, options = noise(60, 60), {"step": 1, "first": 2, "rows": 2, "columns": 3}
    whole, last = (DenseEncoder(drawn(Connected(), layer, 29)) for layer in ("classifier", "classifier.5"))
    torch.testing.assert_close(whole(region, **options), last(region, **options), rtol=0, atol=0)


def test_an_encoder_gives_the_same_features_after_it_was_made_dense():
    for model, layer, size in ((Averaged(1), "4", 40), (Connected(), "classifier.4", 29)):
        encoder = drawn(model, layer, size)
        patches = noise(size, 3 * size).unfold(3, size, size)[0].permute(2, 0, 1, 3).contiguous()
        before = encoder(patches)
        DenseEncoder(encoder)(noise(120, 120), step=1, first=1, rows=2, columns=2)
        torch.testing.assert_close(encoder(patches), before, rtol=0, atol=0)


def test_a_view_that_nearly_fills_the_first_probe_is_no_reason_to_refuse():
    """Of 32 places of the first probe it reaches 2 to 30, and would be cut off when it moves."""
    model = nn.Sequential(nn.Conv2d(3, 2, 32, 32), nn.Conv2d(2, 4, 3, padding=14, dilation=14))
    dense = DenseEncoder(drawn(model, "1", 64))
    assert dense.total_stride == 32
    assert dense.before >= 14 * 32
    assert dense.after >= 15 * 32 - 1


def test_a_network_that_leaves_pixels_out_is_seen_whole():
    """Each place sees 3 px of every 4, of which columns between lead nowhere."""
    dense = DenseEncoder(drawn(nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 8, 1, 2)), "1", 32))
    assert (dense.total_stride, dense.before, dense.after) == (4, 1, 1)


@pytest.mark.parametrize("make", [lambda: drawn(Averaged(2), "4", 40), lambda: drawn(Connected(), "classifier.4", 29)])
def test_px_beyond_the_stated_context_change_nothing_and_px_within_do(make):
    encoder = make()
    dense = DenseEncoder(encoder)
    first = -(-dense.before // dense.total_stride)
    start = first * dense.total_stride
    end = start + (dense.span - 1) * dense.total_stride + dense.after + 1
    region = noise(end + 40, end + 40)
    inside = torch.zeros_like(region, dtype=torch.bool)
    inside[:, :, start - dense.before : end, start - dense.before : end] = True
    other = torch.where(inside, region, 255 - region)
    options = {"step": 1, "first": first, "rows": 1, "columns": 1}
    features = dense(region, **options)
    torch.testing.assert_close(dense(other, **options), features, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(dense(255 - region, **options), features, rtol=1e-2)


def test_alexnets_context_covers_its_receptive_field():
    """Its last pooling sees 195 px, by the arithmetic of kernels and strides, and has a place every 32."""
    dense = DenseEncoder(
        load_encoder({"model": "alexnet", "layer": "features", "weights": "random:0", "input_size": 64})
    )
    assert dense.total_stride == 32
    assert 195 <= dense.before + dense.after + 1 <= 195 + 2 * 32


def test_alexnets_fully_connected_layers_see_the_map_of_the_whole_region():
    """torchvision's own AlexNet, every second place of whose map is one that its pooling gives at stride 2."""
    spec = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0", "input_size": 224}
    dense = DenseEncoder(load_encoder(spec))
    assert (dense.total_stride, dense.dimension) == (16, 4096)
    region = noise(448, 480)
    features = dense(region, step=2, first=6, rows=1, columns=2)
    model = torchvision.models.alexnet(weights=None).eval()
    draw_weights(model, 0)
    with torch.inference_mode():
        places = model.features(torchvision.transforms.functional.normalize(region.float() / 255, MEAN, STD))
        boxes = torch.cat([places[:, :, 3:9, 3:9], places[:, :, 3:9, 4:10]])
        expected = model.classifier[:6](boxes.flatten(1))
    torch.testing.assert_close(features[0], expected, rtol=1e-4, atol=1e-4 * expected.max().item())


def strides_that_work(dense, patch_size):
    works = []
    for stride in range(1, patch_size + 1):
        try:
            dense.check_stride(patch_size, stride)
        except SlidecafError:
            continue
        works.append(stride)
    return works


@pytest.mark.parametrize("patch_size", [40, 20, 7, 80, 100])
def test_strides_work_exactly_where_patches_land_on_places_and_errors_list_them(patch_size):
    dense = DenseEncoder(drawn(Averaged(), "4", 40))  # 4 px from place to place
    works = strides_that_work(dense, patch_size)
    assert works == [s for s in range(1, patch_size + 1) if s * 40 / patch_size % 4 == 0]
    bad = next(s for s in range(1, 200) if s * 40 % (4 * patch_size))
    with pytest.raises(SlidecafError, match="no multiple of the network's 4 px") as caught:
        dense.check_stride(patch_size, bad)
    listed = [int(s) for s in re.search(r"one of ([\d, ]+),", str(caught.value)).group(1).split(", ")]
    assert listed == works[: len(listed)]
    assert "extraction: patchwise" in str(caught.value)


def test_a_stride_is_so_many_places():
    dense = DenseEncoder(drawn(Averaged(), "4", 40))
    assert dense.check_stride(40, 8) == 2
    assert dense.check_stride(20, 8) == 4


def test_an_input_size_that_no_stride_suits_is_said():
    dense = DenseEncoder(drawn(Averaged(), "4", 41))
    with pytest.raises(SlidecafError, match="no stride up to patch_size works"):
        dense.check_stride(40, 8)


@pytest.mark.parametrize(
    ("model", "layer", "size", "said"),
    [
        ("mobilenet_v3_small", "features", 64, "the whole image"),
        ("alexnet", "avgpool", 64, "the whole image"),
        ("alexnet", "classifier.5", 300, "8 x 8 places at input_size 300"),
        ("alexnet", "classifier.0", 224, "before the first fully connected one"),
    ],
)
def test_what_cannot_be_run_over_a_region_is_refused_with_what_to_write(model, layer, size, said):
    encoder = load_encoder({"model": model, "layer": layer, "weights": "random:0", "input_size": size})
    with pytest.raises(SlidecafError, match=said) as caught:
        DenseEncoder(encoder)
    assert "extraction: patchwise" in str(caught.value)


def test_several_outputs_are_refused_with_what_to_write():
    encoder = drawn(Averaged(), {"a": Output("2"), "b": Output("4")}, 42)
    with pytest.raises(SlidecafError, match="extraction: dense gives one output; write a layer"):
        DenseEncoder(encoder)


def test_a_transformer_is_refused_with_what_to_write():
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 8}
    model = torchvision.models.VisionTransformer(image_size=32, patch_size=16, **sizes).eval()
    with pytest.raises(SlidecafError, match=r"VisionTransformer.*no spatial map; write extraction: patchwise"):
        DenseEncoder(Encoder(model, "encoder", input_size=32))


def test_a_map_of_one_size_is_refused_with_what_to_write():
    model = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.AdaptiveAvgPool2d(8))
    with pytest.raises(SlidecafError, match=r"a map of one size.*write extraction: patchwise"):
        DenseEncoder(drawn(model, "1", 32))


def test_every_vgg_has_its_fully_connected_layers_densely():
    names = [name for name in torchvision.models.list_models(module=torchvision.models) if name.startswith("vgg")]
    assert len(names) == 8
    for name in names:
        with torch.device("meta"):
            model = torchvision.models.get_model(name)
        # the shapes that the conversion stands on
        assert isinstance(model.features[-1], nn.MaxPool2d)
        assert model.classifier[0].in_features == 512 * 7 * 7
        assert tuple(model.avgpool.output_size) == (7, 7)
