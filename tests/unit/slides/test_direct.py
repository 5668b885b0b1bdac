"""Tiles decoded straight from the file: the pixels of OpenSlide, where its levels are plain pages."""

import itertools

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from openslide import OpenSlide

from slidecaf.slides.openslide import OpenSlideSlide

APERIO = "Aperio Image Library v11.2.1 \r\n900x700 [0,0 900x700] (64x64) |AppMag = 20|MPP = 0.5"


def picture(height, width):
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 30, (height, width, 3))
    return np.stack([x % 200, y % 190, (x + y) % 180], axis=-1).astype(np.uint8) + noise.astype(np.uint8)


def write(path, *levels, **options):
    options = {"photometric": "rgb", "tile": (64, 64), "compression": "jpeg", "metadata": None, **options}
    with tifffile.TiffWriter(path) as writer:
        for index, level in enumerate(levels):
            writer.write(level, subfiletype=int(index > 0 and "description" not in options), **options)
    return path


def write_jpeg2000(path, image, compression):
    places = itertools.product(range(0, image.shape[0], 64), range(0, image.shape[1], 64))
    tiles = [np.pad(image[y : y + 64, x : x + 64], ((0, 64), (0, 64), (0, 0)))[:64, :64] for y, x in places]
    codec = {"level": 80, "mct": compression == 33005, "codecformat": "j2k", "reversible": False}
    coded = [imagecodecs.jpeg2k_encode(tile, **codec) for tile in tiles]
    options = {"photometric": "rgb", "tile": (64, 64), "compression": compression, "description": APERIO}
    tifffile.imwrite(path, iter(coded), shape=image.shape, dtype=np.uint8, metadata=None, **options)
    return path


def made(path, kind):
    image = picture(700, 900)
    if kind in (33003, 33005):
        return write_jpeg2000(path, image, kind)
    options = {"generic, subsampled": {"subsampling": (2, 2)}, "generic": {"subsampling": (1, 1)}}
    aperio = {"aperio": {"description": APERIO}}
    return write(path, image, image[::2, ::2], image[::4, ::4], **{**options, **aperio}[kind])


KINDS = ["generic", "generic, subsampled", "aperio", 33005]


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return {kind: made(folder / f"{kind}.svs", kind) for kind in KINDS}


def openslides(handle, x, y, width, height, level):
    step = round(handle.level_downsamples[level])
    return np.asarray(handle.read_region((x * step, y * step), level, (width, height)).convert("RGB"))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(st.data())
def test_any_region_of_any_level_has_openslides_pixels(slides, kind, data):
    with OpenSlideSlide("a", slides[kind], mpp=None) as slide, OpenSlide(slides[kind]) as handle:
        level = data.draw(st.integers(0, len(slide.levels) - 1))
        inside = slide.levels[level]
        assert slide.reads_directly(level)
        x, y = data.draw(st.integers(0, inside.width - 1)), data.draw(st.integers(0, inside.height - 1))
        width, height = data.draw(st.integers(1, inside.width - x)), data.draw(st.integers(1, inside.height - y))
        found = slide.read(x, y, width, height, level)
        np.testing.assert_array_equal(found, openslides(handle, x, y, width, height, level))


@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs"])
def test_real_slides_have_openslides_pixels(shared_data, name):
    path = shared_data / "slides" / name
    with OpenSlideSlide("a", path, mpp=None) as slide, OpenSlide(path) as handle:
        assert slide.reads_directly(0)
        found = slide.read(0, 0, slide.width, slide.height)
        np.testing.assert_array_equal(found, openslides(handle, 0, 0, slide.width, slide.height, 0))


def test_a_level_without_a_whole_place_a_missing_tile_or_a_twin_is_left_to_openslide(tmp_path):
    image = picture(700, 900)
    levels = write(tmp_path / "a.tiff", image, image[:333, :428])
    with OpenSlideSlide("a", levels, mpp=None) as slide:
        assert [slide.reads_directly(level) for level in (0, 1)] == [True, False]
    twins = write(tmp_path / "b.tiff", image, image[::2, ::2], image[::2, ::2])
    with OpenSlideSlide("b", twins, mpp=None) as slide:
        assert not slide.reads_directly(1)
    tiles = (picture(64, 64) for _ in range(11 * 15))
    missing = tmp_path / "c.tiff"
    options = {"photometric": "rgb", "tile": (64, 64), "compression": "jpeg", "metadata": None}
    sparse = (None if number == 7 else tile for number, tile in enumerate(tiles))
    tifffile.imwrite(missing, sparse, shape=(700, 900, 3), dtype=np.uint8, **options)
    with OpenSlideSlide("c", missing, mpp=None) as slide:
        assert not slide.reads_directly(0)
    with OpenSlideSlide("e", write_jpeg2000(tmp_path / "e.svs", image, 33003), mpp=None) as slide:
        assert not slide.reads_directly(0)
    deflated = write(tmp_path / "d.tiff", image, compression="deflate")
    with OpenSlideSlide("d", deflated, mpp=None) as slide:
        assert not slide.reads_directly(0)
