"""Dense extraction agrees with patches cut by hand from the enlarged slide, whatever the blocks and the threads."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchvision.transforms import functional

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction import dense, patchwise, seams
from slidecaf.features.extraction.seams import Handed
from slidecaf.features.file import open_features, write_features
from slidecaf.features.networks.encoder import MEAN, STD, Encoder, load_encoder
from slidecaf.features.networks.weights import draw_weights
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling


class ArraySlide:
    """A slide of one array a level; `bad` tells which regions cannot be read."""

    is_square = True

    def __init__(self, *arrays, bad=lambda x, y, width, height: False):
        self.arrays, self.bad, self.reads = arrays, bad, []
        self.levels = [
            SimpleNamespace(width=a.shape[1], height=a.shape[0], downsample=arrays[0].shape[1] / a.shape[1])
            for a in arrays
        ]

    def best_level(self, downsample):
        return max(i for i, level in enumerate(self.levels) if level.downsample <= 1.01 * downsample)

    def read_padded(self, x, y, width, height, level=0):
        self.reads.append((x, y, width, height, level))
        if self.bad(x, y, width, height):
            raise SlideError("slide s: a region cannot be read.")
        pixels = self.arrays[level]
        before, after = (max(0, -y), max(0, -x)), (y + height - pixels.shape[0], x + width - pixels.shape[1])
        sides = [(b, max(0, a)) for b, a in zip(before, after, strict=True)]
        padded = np.pad(pixels, [*sides, (0, 0)], mode="reflect")
        return np.ascontiguousarray(padded[y + sides[0][0] :, x + sides[1][0] :][:height, :width])


class Rows:
    """Takes rows as a features file does, each once."""

    def __init__(self, count, dimension):
        self.features, self.valid = np.zeros((count, dimension), np.float16), np.zeros(count, bool)
        self.times = np.zeros(count, int)

    def write(self, start, features, valid):
        rows = slice(start, start + len(features))
        self.features[rows], self.valid[rows] = features, valid
        self.times[rows] += 1


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((4, 4, 1), np.uint8))[:height, :width])


def grid(width, height, stride):
    return np.array([(x, y) for y in range(0, height, stride) for x in range(0, width, stride)])


def encoder_of(padding=0, size=40):
    """A map of places 4 px apart."""
    layers = [nn.Conv2d(3, 6, 5, 2, padding), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=padding), nn.ReLU()]
    model = nn.Sequential(*layers, nn.MaxPool2d(3, 2, ceil_mode=padding > 0)).eval()
    draw_weights(model, 0)
    return Encoder(model, "4", input_size=size)


def extract(slide, coords, encoder, *, size, stride, scale=1.0, threads=2, max_unreadable=0.01, **options):
    rows, done = Rows(len(coords), encoder.dimension), []
    unreadable = dense.extract(
        slide,
        coords,
        encoder,
        rows,
        patch_size=size,
        stride=stride,
        stride_level0=stride * scale,
        threads=threads,
        max_unreadable=max_unreadable,
        advance=done.append,
        **options,
    )
    assert (rows.times == 1).all()
    assert sum(done) == len(coords)
    assert unreadable == len(coords) - rows.valid.sum()
    return rows.features.astype(np.float32), rows.valid


def close(features, expected):
    # features are stored in 16 bit: 2**-11 of themselves
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max())


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks on a busy machine: threads would wait for one another most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unpadded():
    return encoder_of()


@pytest.fixture(scope="module")
def padded():
    return encoder_of(padding=1)


@pytest.mark.parametrize("stride", [4, 12, 40])
def test_where_nothing_is_padded_nor_enlarged_dense_equals_patchwise(unpadded, stride):
    pixels = picture(150, 170)
    coords = grid(150, 130, stride)
    features, valid = extract(ArraySlide(pixels), coords, unpadded, size=40, stride=stride)
    reader = patchwise.PatchReader(ArraySlide(pixels), patch_size=40, patch_size_level0=40, input_size=40)
    order = np.lexsort((coords[:, 1], coords[:, 0]))
    patches, _, _ = reader(coords[order])
    expected = np.empty_like(features)
    expected[order] = unpadded(patches).numpy()
    assert valid.all()
    close(features, expected)


@pytest.mark.parametrize(("size", "stride"), [(20, 4), (16, 8), (80, 24), (50, 10)])
def test_patches_are_those_of_the_enlarged_slide(unpadded, size, stride):
    height, width = 4 * size, 5 * size
    pixels = picture(height, width)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    enlarged = nn.functional.interpolate(image, (160, 200), mode="bilinear", antialias=True)
    # patches that keep a px off the border, where the whole slide's resize knows no neighbours
    coords = np.array([c for c in grid(width - size, height - size, stride) if c.min() >= stride])
    features, _ = extract(ArraySlide(pixels), coords, unpadded, size=size, stride=stride)
    corners = np.rint(coords * 40 / size).astype(int)
    np.testing.assert_allclose(corners, coords * 40 / size)
    expected = unpadded(torch.cat([enlarged[:, :, y : y + 40, x : x + 40] for x, y in corners]))
    close(features, expected.numpy())


@pytest.mark.parametrize(("size", "stride"), [(20, 4), (50, 10)])
def test_blocks_and_the_whole_agree(padded, size, stride):
    slide = ArraySlide(picture(120, 150))
    coords = grid(150, 120, stride)
    whole, _ = extract(slide, coords, padded, size=size, stride=stride, block=1000)
    assert len(slide.reads) == 1
    for block in (5, 17):
        parts, _ = extract(slide, coords, padded, size=size, stride=stride, block=block)
        close(parts, whole)
    assert len(slide.reads) > 30


@pytest.mark.parametrize("edge", ["cover", "drop"])
def test_blocks_and_the_whole_agree_on_the_patches_of_a_tiling(padded, edge):
    slide = ArraySlide(picture(85, 118))
    slide.name, slide.path, slide.mpp, slide.width, slide.height = "s", "s.png", 0.25, 118, 85
    patches = tile(slide, Tiling(patch_size=20, stride=8, edge=edge, mpp=0.375))
    options = {"size": 20, "stride": 8, "scale": patches.stride_level0 / 8}
    parts, valid = extract(slide, patches.coords, padded, **options, block=9)
    whole, _ = extract(slide, patches.coords, padded, **options, block=1000)
    assert len(patches.coords) == {"cover": 9 * 6, "drop": 8 * 5}[edge]
    assert valid.all()
    close(parts, whole)


def test_neither_threads_nor_repetition_change_a_byte_of_the_file(padded, tmp_path):
    slide, coords = ArraySlide(picture(150, 200)), grid(200, 150, 4)
    for name, threads in (("a", 1), ("b", 2), ("c", 3), ("d", 1)):
        with write_features(
            tmp_path / f"{name}.h5", coords, padded.dimension, coords_attributes={}, attributes={}
        ) as writer:
            options = {"patch_size": 20, "stride": 4, "stride_level0": 4.0, "block": 10}
            dense.extract(
                slide, coords, padded, writer, **options, threads=threads, max_unreadable=0, advance=lambda n: None
            )
    first = (tmp_path / "a.h5").read_bytes()
    assert all((tmp_path / f"{name}.h5").read_bytes() == first for name in "bcd")
    features, _ = extract(slide, coords, padded, size=20, stride=4, block=10)
    with open_features(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["features"][:], features.astype(np.float16))
        assert file["valid"][:].all()


def test_patches_that_are_left_out_change_no_others_and_empty_blocks_are_not_read(padded):
    slide, coords = ArraySlide(picture(150, 200)), grid(200, 150, 4)
    whole, _ = extract(slide, coords, padded, size=20, stride=4, block=10)
    blocks = len(slide.reads)
    kept = np.random.default_rng(0).random(len(coords)) < 0.6
    kept &= ~((coords[:, 0] < 100) & (coords[:, 1] < 90))
    kept[[0, -1]] = False, True  # the grid's last corner stays, and with it the blocks
    slide.reads.clear()
    some, _ = extract(slide, coords[kept], padded, size=20, stride=4, block=10)
    close(some, whole[kept])
    assert len(slide.reads) < blocks


def test_a_slide_smaller_than_a_patch_and_a_slide_without_patches(padded):
    features, valid = extract(ArraySlide(picture(12, 15)), np.array([(0, 0)]), padded, size=20, stride=4)
    assert valid.all()
    assert features.any()
    features, _ = extract(ArraySlide(picture(12, 15)), np.empty((0, 2), np.int64), padded, size=20, stride=4)
    assert features.shape == (0, 8)


def test_a_region_that_cannot_be_read_costs_the_patches_of_its_square_and_no_others(padded, monkeypatch):
    monkeypatch.setattr(dense, "RETRY", 16)
    pixels, coords = picture(150, 200), grid(180, 132, 4)
    bad = lambda x, y, width, height: x <= 90 < x + width and y <= 70 < y + height  # noqa: E731
    features, valid = extract(
        ArraySlide(pixels, bad=bad), coords, padded, size=20, stride=4, max_unreadable=0.2, block=20
    )
    must = [x <= 90 < x + 20 and y <= 70 < y + 20 for x, y in coords]
    may = [x <= 90 + 16 and x + 20 > 90 - 16 and y <= 70 + 16 and y + 20 > 70 - 16 for x, y in coords]
    assert not valid[must].any()
    assert valid[~np.array(may)].all()
    assert not features[~valid].any()
    whole, _ = extract(ArraySlide(pixels), coords, padded, size=20, stride=4, block=20)
    far = np.abs(coords + 10 - (90, 70)).max(axis=1) > 10 + 16 + 20  # white beside a patch is context, and shows
    assert far.any()
    close(features[far], whole[far])


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_one_block_ends_those_that_wait_for_its_map(padded, threads, monkeypatch):
    """Not a slide's error, but one that nothing expects, while a pixel is read or the network runs."""

    def bad(x, y, width, height):
        if x <= 90 < x + width and y <= 70 < y + height:
            raise ZeroDivisionError("as provoked")
        return False

    with pytest.raises(ZeroDivisionError, match="as provoked"):
        extract(ArraySlide(picture(150, 200), bad=bad), grid(180, 132, 4), padded, size=20, stride=4, threads=threads)
    encoder, calls = encoder_of(padding=1), []
    extract(ArraySlide(picture(60, 60)), grid(40, 40, 4), encoder, size=20, stride=4)  # looks at the network
    meets = dense.BlockReader.meets
    monkeypatch.setattr(
        dense.BlockReader, "meets", lambda *given: calls.append(0) or (meets(*given) if len(calls) < 3 else 1 / 0)
    )
    damaged = ArraySlide(
        picture(150, 200), bad=lambda x, y, width, height: x <= 90 < x + width and y <= 70 < y + height
    )
    options = {"size": 20, "stride": 4, "threads": threads, "block": 10}
    with pytest.raises(ZeroDivisionError, match="division"):
        extract(damaged, grid(180, 132, 4), encoder, **options, max_unreadable=1)
    calls.clear()
    run = encoder.run
    dense._made_dense(encoder)._trunk = lambda x: calls.append(0) or (run(x) if len(calls) < 5 else 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division"):
        extract(ArraySlide(picture(150, 200)), grid(180, 132, 4), encoder, **options)


def test_maps_of_earlier_blocks_are_let_go(padded, monkeypatch):
    made = []
    for module in (dense, seams):
        monkeypatch.setattr(module, "Handed", lambda *given: made.append(Handed(*given)) or made[-1])
    extract(ArraySlide(picture(150, 200)), grid(180, 132, 4), padded, size=20, stride=4, block=10)
    assert len(made) == 3
    assert not any(handed._values for handed in made)


def test_too_many_unreadable_patches_fail_the_slide_by_name(padded):
    slide = ArraySlide(picture(150, 200), bad=lambda x, y, width, height: x < 50)
    with pytest.raises(SlideError, match=r"slide s: a region cannot be read\. More than 1\.00% of the slide's \d+"):
        extract(slide, grid(180, 132, 4), padded, size=20, stride=4)


def test_a_lower_level_is_read_where_it_holds_the_wanted_resolution(padded):
    half = picture(150, 200)
    full = np.kron(half, np.ones((2, 2, 1), np.uint8))
    coords = grid(200, 150, 4)
    expected, _ = extract(ArraySlide(half), coords, padded, size=20, stride=4)
    slide = ArraySlide(full, half)
    features, _ = extract(slide, 2 * coords, padded, size=20, stride=4, scale=2.0)
    assert {read[4] for read in slide.reads} == {1}
    np.testing.assert_array_equal(features, expected)


def test_at_a_resolution_of_its_own_patches_are_where_their_coordinates_say(unpadded):
    scale = 1.37
    pixels = picture(400, 420)
    every = np.rint(np.arange(12) * 4 * scale).astype(int)
    coords = np.array([(x, y) for y in every for x in every])
    # one patch differs from all others: it shows a black square
    target = (every[7], every[5])
    pixels[:] = 250
    side = round(20 * scale)
    pixels[target[1] : target[1] + side, target[0] : target[0] + side] = 0
    features, _ = extract(ArraySlide(pixels), coords, unpadded, size=20, stride=4, scale=scale)
    blank = unpadded(torch.full((1, 3, 40, 40), 250, dtype=torch.uint8)).numpy()
    distance = np.linalg.norm(features - blank, axis=1).reshape(12, 12)
    assert np.unravel_index(distance.argmax(), distance.shape) == (5, 7)


@given(st.sets(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=80), st.integers(1, 50))
@settings(max_examples=60)
def test_every_patch_is_in_one_block_where_it_stands(places, side):
    cells = np.array(sorted(places, key=lambda p: (p[1], p[0])), np.int64).reshape(-1, 2)
    blocks = dense.plan_blocks(cells, side)
    seen = np.concatenate([block.rows for block in blocks]) if blocks else np.empty(0, int)
    np.testing.assert_array_equal(np.sort(seen), np.arange(len(cells)))
    for block in blocks:
        rows, columns = block.shape
        assert max(rows, columns) <= side
        assert (np.diff(block.rows) > 0).all()
        np.testing.assert_array_equal(block.grid_x + block.left, cells[block.rows, 0])
        np.testing.assert_array_equal(block.grid_y + block.top, cells[block.rows, 1])
        assert block.grid_x.min() >= 0
        assert block.grid_x.max() < columns
        assert block.grid_y.min() >= 0
        assert block.grid_y.max() < rows
    if len(cells):  # evenly: no more blocks than the sides ask for
        assert len(blocks) <= math.prod(math.ceil((n + 1) / side) for n in cells.max(axis=0))


def test_rows_written_by_blocks_take_no_more_room_than_rows_in_order(tmp_path):
    """A chunk that left the cache before it was whole would be compressed twice and leave a hole."""
    columns, rows, width = 700, 40, 64
    values = np.random.default_rng(0).integers(0, 50, (rows * columns, width)).astype(np.float16)
    coords = np.zeros((len(values), 2), np.int64)
    good = np.ones(columns, bool)
    for name, step in (("order", columns), ("blocks", width)):
        with write_features(tmp_path / name, coords, width, coords_attributes={}, attributes={}) as writer:
            for left in range(0, columns, step):
                for row in range(rows):
                    part = slice(row * columns + left, row * columns + min(left + step, columns))
                    writer.write(part.start, values[part], good[: part.stop - part.start])
        with open_features(tmp_path / name) as file:
            np.testing.assert_array_equal(file["features"][:], values)
    assert (tmp_path / "blocks").stat().st_size <= 1.01 * (tmp_path / "order").stat().st_size


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "not a number"), (1e6, "does not fit 16 bit")])
def test_features_that_are_no_16_bit_numbers_are_an_error(value, said):
    encoder = encoder_of()
    spoilt = encoder.run
    encoder.run = lambda x: spoilt(x) * 0 + value if x.isfinite().all() and x.abs().max() > 0 else spoilt(x)
    with pytest.raises(SlidecafError, match=said):
        extract(ArraySlide(picture(100, 100)), grid(60, 60, 4), encoder, size=20, stride=4)


def test_a_stride_off_the_networks_places_is_an_error_that_lists_strides(padded):
    with pytest.raises(SlidecafError, match="write one of 2, 4, 6"):
        extract(ArraySlide(picture(100, 100)), grid(60, 60, 3), padded, size=20, stride=3)


def test_on_a_real_section_patches_are_boxes_of_the_map_that_torchvision_gives(shared_data):
    """Against patchwise features only places that see beyond the patch differ, but these differ much."""
    name = shared_data / "gbm_necrosis" / "images" / "W3-1-1-C.1.03.png"
    pixels = np.array(Image.open(name).convert("RGB"))[300:620, 300:620]
    weights = str(shared_data / "weights" / "squeezenet1_0_imagenet.pth")
    encoder = load_encoder({"model": "squeezenet1_0", "layer": "features", "weights": weights, "input_size": 224})
    coords = np.array([(96, 96), (112, 96)])
    features, _ = extract(ArraySlide(pixels), coords, encoder, size=112, stride=8)

    model = torchvision.models.squeezenet1_0(weights=None).eval()
    model.load_state_dict(torch.load(weights, weights_only=True))
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    enlarged = nn.functional.interpolate(image, (640, 640), mode="bilinear", antialias=True)
    x = functional.normalize(enlarged.float() / 255, MEAN, STD)
    with torch.inference_mode():
        places = model.features(x)[0]
        alone = model.features(x[:, :, 192:416, 192:416])[0]
    close(features[0], places[:, 12:25, 12:25].mean((1, 2)).numpy())
    close(features[1], places[:, 12:25, 14:27].mean((1, 2)).numpy())
    torch.testing.assert_close(places[:, 16:21, 16:21], alone[:, 4:9, 4:9], rtol=1e-3, atol=1e-3)
