"""Networks that torch compiles: the values of those that it does not, compiled once, refused where it cannot be."""

from functools import partial

import numpy as np
import pytest
import torch
from torch._dynamo.exc import BackendCompilerFailed

from slidecaf.errors import SlidecafError
from slidecaf.features.batch import network_attributes
from slidecaf.features.extraction import dense, patchwise
from slidecaf.features.networks import models, timm_networks
from slidecaf.features.networks.encoder import Encoder, Output, load_encoder
from slidecaf.study.config import NetworkFeatures
from tests.unit.features.extraction.test_dense import ArraySlide, Rows, encoder_of, grid, picture

SPEC = {"model": "squeezenet1_0", "layer": "features.4", "weights": "random:0", "input_size": 64}


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    torch.compiler.reset()


class Compiler:
    """Compiles as torch does, without its backend of C++, and notes how often, and what shapes it is given."""

    def __init__(self):
        self.times, self.shapes, self.dynamic = 0, set(), []

    def __call__(self, run, *, dynamic):
        def backend(graph, inputs):
            self.times += 1
            return graph.forward

        def call(x):
            self.shapes.add(tuple(x.shape))
            return made(x)

        self.dynamic.append(dynamic)
        made = torch.compile(run, dynamic=dynamic, backend=backend)
        return call


def patches(count, size=64):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 3, size, size), np.uint8))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "layer", ["features.4", {"a": Output("features.3", "max"), "b": Output("features.6")}], ids=["one", "several"]
)
def test_features_are_those_of_the_network_as_it_is(layer, precision):
    made = partial(Encoder, layer=layer, input_size=64, precision=precision)
    plain = made(models.build_random("squeezenet1_0", 0))
    compiled = made(models.build_random("squeezenet1_0", 0), compiler=partial(torch.compile, backend="aot_eager"))
    expected, found = plain(patches(4)), compiled(patches(4))
    for name in expected if isinstance(layer, dict) else [...]:
        torch.testing.assert_close(
            *((found[name], expected[name]) if isinstance(layer, dict) else (found, expected)), rtol=1e-5, atol=1e-5
        )
    assert (plain.sha256, plain.dimension) == (compiled.sha256, compiled.dimension)
    assert (plain.compiles, compiled.compiles) == (False, True)


@pytest.mark.parametrize("layer", ["pooled", "class+mean", "blocks.1"])
def test_networks_of_timm_are_compiled_too(layer):
    args = {"img_size": 32, "patch_size": 16, "embed_dim": 24, "depth": 2, "num_heads": 2}
    spec = {"model": "timm/vit_tiny_patch16_224", "weights": "random:0", "input_size": "own", "model_args": args}
    found, compiler = timm_networks.load(spec, [layer]), Compiler()
    how = {"input_size": found.input_size, "traced": found.traced, "mean": found.mean, "std": found.std}
    plain = Encoder(found.model, layer, **how)
    compiled = Encoder(found.model, layer, compiler=compiler, **how)
    torch.testing.assert_close(compiled(patches(3, 32)), plain(patches(3, 32)), rtol=1e-5, atol=1e-5)
    assert compiler.times


def test_a_slide_is_compiled_for_one_batch_patchwise_and_for_any_region_densely():
    slide, coords = ArraySlide(picture(200, 260)), grid(260, 200, 8)
    plain, compiler = encoder_of(), Compiler()
    compiled = Encoder(plain.model, "4", input_size=40, compiler=compiler)
    sizes = {"patch_size": 40, "threads": 1, "max_unreadable": 0, "advance": lambda count: None}
    for way, own in (
        (patchwise, {"patch_size_level0": 40, "batch_size": 8}),
        (dense, {"stride": 8, "stride_level0": 8.0, "block": 30}),
    ):
        found = []
        for encoder in (plain, compiled):
            rows = Rows(len(coords), encoder.dimension)
            if way is patchwise:
                rows.append = lambda features, valid, rows=rows: rows.write(int(rows.times.sum()), features, valid)
            way.extract(slide, coords, encoder, rows, **sizes, **own)
            assert (rows.times == 1).all()
            found.append(rows.features.astype(float))
        assert np.abs(found[0]).max() > 0
        np.testing.assert_allclose(found[1], found[0], rtol=2e-3, atol=1e-3 * np.abs(found[0]).max())
        if way is patchwise:
            assert (compiler.times, compiler.shapes) == (1, {(8, 3, 40, 40)})
    other = ArraySlide(picture(120, 340))
    coords, times, shapes = grid(340, 120, 8), compiler.times, len(compiler.shapes)
    rows = Rows(len(coords), compiled.dimension)
    dense.extract(other, coords, compiled, rows, stride=8, stride_level0=8.0, **sizes)
    assert compiler.dynamic == [False, True]
    assert len(compiler.shapes) > shapes
    assert compiler.times == times == 2  # regions of other shapes are not compiled anew


def test_where_there_is_no_gpu_or_no_compiler_it_is_refused_in_a_sentence():
    with pytest.raises(SlidecafError, match="compile: true needs a CUDA device and there is none; leave compile out"):
        load_encoder(SPEC, compiles=True)

    def broken(run, *, dynamic):
        def call(x):
            raise BackendCompilerFailed(broken, RuntimeError("no C compiler"), None)

        return call

    encoder = Encoder(models.build_random("squeezenet1_0", 0), "features.4", input_size=64, compiler=broken)
    with pytest.raises(SlidecafError, match=r"compile: torch cannot compile SqueezeNet here .*leave compile out"):
        encoder(patches(2))


def test_features_depend_on_it_only_where_it_is_asked_for():
    spec = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    given = {"tiling": {"patch_size": 336, "overlap": 0.25}, "encoder": spec}
    described = {"weights_sha256": "", "precision": "fp32"}
    for off in ({}, {"compile": False}):
        plain = NetworkFeatures.model_validate({**given, **off})
        assert "compile" not in plain.given()
        assert "compile" not in network_attributes(plain.plain(), described)["config"]
    compiled = NetworkFeatures.model_validate({**given, "compile": True})
    assert compiled.given()["compile"] is True
    assert '"compile": true' in network_attributes(compiled.plain(), described)["config"]
