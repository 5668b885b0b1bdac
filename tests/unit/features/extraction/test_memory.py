"""How much goes through a network together, by the memory of a GPU that is none."""

import pytest
import torch

from slidecaf.features.extraction import dense
from slidecaf.features.extraction.memory import MOST, at_224, fitting
from slidecaf.features.extraction.pipeline import Pipeline
from slidecaf.features.extraction.slide import Extraction
from tests.unit.features.extraction.test_dense import ArraySlide, Rows, encoder_of, grid, picture

SPEC = {"model": "squeezenet1_0", "layer": "features.2", "weights": "random:0", "input_size": 32}
MIB = 2**20


class Network:
    """Takes so many bytes a patch, and some whatever the patches are."""

    def __init__(self, each, fixed=0, input_size=224):
        self.each, self.fixed, self.input_size, self.seen = each, fixed, input_size, []

    def as_it_is(self, patches):
        assert patches.shape[1:] == (3, self.input_size, self.input_size)
        self.seen.append(len(patches))


class Memory:
    """A GPU with so many free bytes, of which `network` takes."""

    def __init__(self, free, network=None):
        self._free, self._network = free, network

    def free(self):
        return self._free

    def taken(self, call):
        call()
        if self._network is None:
            return MIB
        needed = self._network.fixed + self._network.each * self._network.seen[-1]
        if needed > self._free:
            raise torch.OutOfMemoryError
        return needed


@pytest.mark.parametrize(
    ("free", "each", "fixed", "expected"),
    [
        (80_000, 10, 0, 256),  # as many as are worth while
        (8_000, 100, 0, 32),  # half of it holds 40
        (8_000, 100, 1_600, 16),  # 24 beside what they take together
        (2_000, 100, 0, 8),
        (1_700, 100, 1_000, 1),  # 16 are too many
        (1_700, 100, 90, 4),
    ],
)
def test_a_batch_is_the_power_of_two_that_half_of_the_free_memory_holds(free, each, fixed, expected):
    network = Network(each * MIB, fixed * MIB)
    assert fitting(network, Memory(free * MIB, network)) == expected
    assert network.seen[0] == 8


def test_large_patches_are_fewer_whatever_fits():
    for size, most in ((224, MOST), (112, MOST), (448, MOST // 4), (1000, 8)):
        network = Network(1, input_size=size)
        assert fitting(network, Memory(10**12, network)) == most <= max(1, at_224(MOST, size))


def test_a_config_that_gives_a_number_is_left_alone_and_a_cpu_has_its_own():
    def together(batch_size, memory=None, *, images=1000, extraction="patchwise"):
        settings = {"encoder": SPEC, "extraction": extraction, "batch_size": batch_size}
        with Extraction(settings, "fp32", threads=1, max_unreadable=0) as made:
            made._fit(memory)
            return made._together, made.images_together(images)

    assert together("auto") == together(32) == (32, 32)
    assert together("auto", images=3) == (32, 32)  # last bits depend on no other image
    assert together(5, Memory(10**10)) == (5, 5)
    assert together("auto", Memory(10**10)) == (256, 256)
    assert together("auto", Memory(10**10), images=20) == (256, 32)
    assert together("auto", Memory(10**10), images=1) == (256, 1)


def test_a_dense_block_is_smaller_where_a_gpu_has_no_room_and_features_are_the_same():
    encoder, slide = encoder_of(), ArraySlide(picture(700, 900))
    sizes = {"patch_size": 40, "stride": 8, "step": 2, "reach": 4, "scale": 1.0}
    reader = dense.BlockReader(slide, dense.DenseEncoder(encoder), **sizes)
    assert dense.layer_bytes(80 * 2**30) == dense.LAYER_BYTES
    assert reader.sides(dense.LAYER_BYTES) == (dense.BLOCK, dense.WIDEST)
    for free in (2**22, 2**20, 1000):
        rows, columns = reader.sides(dense.layer_bytes(free))
        assert dense.NARROWEST <= rows < dense.BLOCK
        assert rows <= columns <= dense.WIDEST
    coords, found = grid(900, 700, 8), []
    for most in (dense.LAYER_BYTES, dense.layer_bytes(2**21)):
        rows = Rows(len(coords), encoder.dimension)
        with Pipeline(1, encoder.device) as pipeline:
            own = {"patch_size": 40, "stride": 8, "stride_level0": 8.0, "layer_bytes": most}
            dense.begin(slide, coords, encoder, pipeline, **own)(rows, max_unreadable=0, advance=lambda count: None)
        assert (rows.times == 1).all()
        found.append(torch.from_numpy(rows.features))
    torch.testing.assert_close(*found, rtol=2e-3, atol=1e-3)
