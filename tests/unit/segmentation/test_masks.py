import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.segmentation import masks
from slidecaf.segmentation.masks import mask_strips
from slidecaf.slides import Limits, pages

HEIGHT, WIDTH = 70, 100
MARKED = np.zeros((HEIGHT, WIDTH), bool)
MARKED[10:40, 20:90] = True
MARKED[-1, -1] = True
TIFF_LAYOUTS = [
    {"tile": (32, 48)},
    {"tile": (32, 48), "compression": "deflate"},
    {"tile": (128, 128), "compression": "lzw", "bigtiff": True},
    {"rowsperstrip": 11, "compression": "zstd"},
    {"rowsperstrip": HEIGHT, "compression": "packbits"},
    {"rowsperstrip": 11},
    {"rowsperstrip": HEIGHT, "byteorder": ">"},
]


def strips(path, *, width=WIDTH, height=HEIGHT, **options):
    return list(mask_strips(path, slide="a-1", row=7, column="mask", width=width, height=height, **options))


def read(path, **options):
    return np.concatenate(strips(path, **options))


def tiff(path, stored, **options):
    tifffile.imwrite(path, stored, metadata=None, **{"photometric": "minisblack", **options})
    return path


def png(path, stored, **options):
    Image.fromarray(stored).save(path, **options)
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_png(path, stored, bits):
    """Write a grey PNG of 1, 2 or 4 bit, which Pillow does not write."""
    width = stored.shape[1]
    planes = (stored[..., None] >> np.arange(bits)[::-1]) & 1
    lines = np.packbits(planes.reshape(len(stored), width * bits).astype(np.uint8), axis=1)
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    header = struct.pack(">IIBBBBB", width, len(stored), bits, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def refused(path, what, **options):
    """Check that a mask is refused in one sentence that names all a user needs."""
    with pytest.raises(SlidecafError) as raised:
        strips(path, **options)
    message = str(raised.value)
    assert message.startswith(f"row 7, column mask: the mask of slide 'a-1', {path}, {what}"), message
    assert message.endswith(".")
    assert "; " in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("layout", TIFF_LAYOUTS, ids=str)
@pytest.mark.parametrize("kind", [bool, np.uint8, np.uint16, np.int16, np.uint32])
def test_grey_tiff_of_any_layout_and_depth_is_read(tmp_path, layout, kind):
    stored = MARKED if kind is bool else MARKED * np.array(101, kind)
    np.testing.assert_array_equal(read(tiff(tmp_path / "m.tif", stored, **layout)), MARKED)


@pytest.mark.parametrize("layout", TIFF_LAYOUTS, ids=str)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("alpha", [False, True])
def test_rgb_tiff_is_foreground_where_any_channel_is_not_0(tmp_path, layout, planar, alpha):
    stored = MARKED[..., None] * np.array([0, 0, 7], np.uint8)
    extra = {}
    if alpha:
        stored = np.concatenate([stored, np.full((HEIGHT, WIDTH, 1), 255, np.uint8)], axis=2)
        extra = {"extrasamples": ["unassalpha"]}
    stored = np.moveaxis(stored, 2, 0) if planar == "separate" else stored
    path = tiff(tmp_path / "m.tif", stored, photometric="rgb", planarconfig=planar, **extra, **layout)
    np.testing.assert_array_equal(read(path), MARKED)


def test_stored_zeros_are_background_whatever_they_look_like(tmp_path):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 0] = 65535
    stored = MARKED * np.uint8(1)
    for options in ({"photometric": "miniswhite"}, {"photometric": "palette", "colormap": colours}):
        np.testing.assert_array_equal(read(tiff(tmp_path / "m.tif", stored, **options)), MARKED)
    image = Image.fromarray(stored)
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(tmp_path / "m.png", transparency=0)
    np.testing.assert_array_equal(read(tmp_path / "m.png"), MARKED)


@pytest.mark.parametrize(
    "stored",
    [
        MARKED,
        MARKED * np.uint8(255),
        MARKED * np.uint16(3),
        MARKED[..., None] * np.array([0, 9, 0], np.uint8),
        np.dstack([MARKED * np.uint8(255), np.full_like(MARKED, 255, np.uint8)]),
        np.dstack([*[MARKED * np.uint8(1)] * 3, np.full_like(MARKED, 255, np.uint8)]),
    ],
    ids=["1 bit", "grey", "16 bit", "rgb", "grey with alpha", "rgb with alpha"],
)
def test_png_of_any_kind_is_read(tmp_path, stored):
    np.testing.assert_array_equal(read(png(tmp_path / "m.png", stored)), MARKED)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_mask_value_is_the_number_that_a_png_of_few_bits_stores(tmp_path, bits):
    stored = MARKED * np.uint8(2**bits - 1)
    stored[:5] = 1
    path = grey_png(tmp_path / "m.png", stored, bits)
    np.testing.assert_array_equal(read(path, mask_value=1), stored == 1)
    np.testing.assert_array_equal(read(path, mask_value=2**bits - 1), stored == 2**bits - 1)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_mask_value_is_foreground_alone(tmp_path, suffix, kind):
    stored = np.random.default_rng(0).integers(0, 5, (HEIGHT, WIDTH)).astype(kind)
    path = (png if suffix == "png" else tiff)(tmp_path / f"m.{suffix}", stored)
    for value in (0, 3, 300):
        np.testing.assert_array_equal(read(path, mask_value=value), stored == value)


def test_a_mask_value_is_a_palette_index(tmp_path):
    stored = np.random.default_rng(0).integers(0, 5, (HEIGHT, WIDTH)).astype(np.uint8)
    image = Image.fromarray(stored)
    image.putpalette([3, 3, 3] * 5)
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read(tmp_path / "m.png", mask_value=3), stored == 3)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_empty_and_full_masks_are_valid(tmp_path, suffix, value):
    path = (png if suffix == "png" else tiff)(tmp_path / f"m.{suffix}", np.full((HEIGHT, WIDTH), value, np.uint8))
    np.testing.assert_array_equal(read(path), np.full((HEIGHT, WIDTH), value > 0))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_strips_are_of_the_rows_asked_for_whatever_the_layout(tmp_path_factory, data):
    height, width, rows = (data.draw(st.integers(1, 80)) for _ in range(3))
    layout = data.draw(st.sampled_from([{"tile": (16, 32), "compression": "lzw"}, {"rowsperstrip": 7}, {}]))
    marked = np.random.default_rng(height).random((height, width)) < 0.5
    path = tiff(tmp_path_factory.mktemp("layout") / "m.tif", marked * np.uint8(1), **layout)
    with pytest.MonkeyPatch.context() as patch:
        piece = data.draw(st.integers(1, 3000))
        patch.setattr(masks, "PIECE", piece)
        patch.setattr(pages, "BAND_PIXELS", piece)
        got = strips(path, width=width, height=height, rows=rows)
    assert [len(strip) for strip in got[:-1]] == [rows] * (len(got) - 1)
    assert all(strip.dtype == bool for strip in got)
    np.testing.assert_array_equal(np.concatenate(got), marked)


def test_the_first_page_of_the_slides_size_is_taken(tmp_path):
    with tifffile.TiffWriter(tmp_path / "m.tif") as file:
        file.write(np.full((7, 10), 3, np.uint8), photometric="minisblack")
        file.write(MARKED * np.uint8(1), photometric="minisblack", tile=(16, 16), subifds=1)
        file.write(MARKED[::2, ::2] * np.uint8(1), photometric="minisblack", subfiletype=1)
        file.write(np.zeros((HEIGHT, WIDTH), np.uint8), photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "m.tif"), MARKED)


def test_tiles_left_out_of_a_sparse_file_are_background(tmp_path):
    path, stored = tmp_path / "m.tif", MARKED.copy()
    tiff(path, stored * np.uint8(1), tile=(32, 32), compression="deflate")
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        for name, values in (("TileOffsets", page.dataoffsets), ("TileByteCounts", page.databytecounts)):
            page.tags[name].overwrite([0, *values[1:]])
    stored[:32, :32] = False
    np.testing.assert_array_equal(read(path), stored)


def test_the_real_masks_are_what_pillow_reads(shared_data):
    for path in sorted((shared_data / "gbm_necrosis" / "masks").glob("*.png"))[::4]:
        np.testing.assert_array_equal(read(path, width=1024, height=1024), np.array(Image.open(path)) > 0)


@pytest.mark.parametrize("layout", [{}, {"tile": (64, 64), "compression": "deflate"}], ids=["whole", "tiled"])
def test_memory_does_not_grow_with_the_height_of_a_tiff(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(masks, "PIECE", 2**15)
    monkeypatch.setattr(pages, "BAND_PIXELS", 2**15)
    peaks, largest = [], []
    once = pages._read_at
    monkeypatch.setattr(
        pages,
        "_read_at",
        lambda file, buffer, place: largest.append(memoryview(buffer).nbytes) or once(file, buffer, place),
    )
    for height in (512, 4096):
        path = tiff(tmp_path / "m.tif", np.ones((height, 1000), np.uint8), **layout)
        tracemalloc.start()
        for strip in mask_strips(path, slide="a", row=2, column="mask", width=1000, height=height, rows=32):
            assert strip.shape == (32, 1000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(largest) <= 2**15
    # The table of the tiles' places grows; pixels held do not.
    assert peaks[1] < peaks[0] + 200_000


def test_pillows_own_limit_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(masks, "PIECE", 900)
    np.testing.assert_array_equal(read(png(tmp_path / "m.png", MARKED)), MARKED)


def test_a_missing_file_is_refused(tmp_path):
    assert refused(tmp_path / "m.png", "is no file").endswith("correct the sheet's column mask.")
    refused(tmp_path, "is no file")


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "m.png"
    Image.fromarray(MARKED).convert("L").save(path, format="jpeg")
    refused(path, "is neither PNG nor TIFF; save it as PNG or TIFF")
    path.write_bytes(b"")
    refused(path, "is empty; save it as PNG or TIFF")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_mask_of_another_size_is_refused(tmp_path, suffix):
    path = (png if suffix == "png" else tiff)(tmp_path / f"m.{suffix}", MARKED)
    refused(path, "has 100 x 70 px, and the slide 100 x 71; save it at the slide's full size", height=71)
    refused(path, "has 100 x 70 px, and the slide 70 x 100", height=100, width=70)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_more_than_two_values_are_refused_and_named(tmp_path, suffix):
    stored = MARKED * np.uint8(1)
    stored[-3:, 0] = 2, 3, 200
    path = (png if suffix == "png" else tiff)(tmp_path / f"m.{suffix}", stored)
    assert "set segmentation.mask_value to the one that is meant, or save it with two values" in refused(
        path, "holds more than two values, among them 0, 1, 2, 3, 200;"
    )


def test_values_that_come_in_different_strips_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(masks, "PIECE", WIDTH)
    monkeypatch.setattr(pages, "BAND_PIXELS", WIDTH)
    stored = MARKED * np.uint8(1)
    stored[-1] = 9
    refused(tiff(tmp_path / "m.tif", stored), "holds more than two values, among them 0, 1, 9;")
    stored = np.full_like(stored, 4)
    stored[-1] = 9
    refused(tiff(tmp_path / "m.tif", stored), "holds two values and none is 0: 4, 9;")


def test_colours_are_refused_and_a_few_are_named(tmp_path):
    stored = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    stored[0, 0] = 1, 2, 3
    message = refused(png(tmp_path / "m.png", stored), "holds more than two values, among them (")
    assert "(1, 2, 3)" in message
    assert message.count("(") == 5
    assert "mask_value" not in message


def test_two_values_without_zero_are_refused(tmp_path):
    stored = np.where(MARKED, 2, 1).astype(np.uint8)
    message = refused(png(tmp_path / "m.png", stored), "holds two values and none is 0: 1, 2;")
    assert "segmentation.mask_value" in message


def test_a_mask_value_for_colours_is_refused(tmp_path):
    path = png(tmp_path / "m.png", MARKED[..., None] * np.array([255, 0, 0], np.uint8))
    refused(path, "has 3 channels of colour, and segmentation.mask_value is one number; save it as grey", mask_value=1)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("colours", [1, 3])
def test_an_alpha_channel_that_is_not_opaque_is_refused(tmp_path, suffix, colours):
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[-1, -1] = 254
    stored = np.dstack([*[MARKED * np.uint8(255)] * colours, alpha])
    if suffix == "png":
        path = png(tmp_path / "m.png", stored)
    else:
        photometric = "rgb" if colours == 3 else "minisblack"
        path = tiff(tmp_path / "m.tif", stored, photometric=photometric, extrasamples=["unassalpha"])
    for value in (None, 255) if colours == 1 else (None,):
        refused(path, "has an alpha channel that is not opaque everywhere; save it without alpha", mask_value=value)


def test_an_alpha_of_16_bit_is_opaque_at_65535(tmp_path):
    stored = np.dstack([*[MARKED * np.uint16(5)] * 3, np.full(MARKED.shape, 65535, np.uint16)])
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    np.testing.assert_array_equal(read(tiff(tmp_path / "m.tif", stored, **options)), MARKED)
    stored[0, 0, 3] = 255
    refused(tiff(tmp_path / "m.tif", stored, **options), "has an alpha channel that is not opaque everywhere")


def test_pixels_that_are_no_mask_are_refused(tmp_path):
    path = tiff(tmp_path / "m.tif", MARKED.astype(np.float32))
    refused(path, "holds 1 channel of float32 with photometric interpretation 1; save it as grey of 8 bit")
    stored = np.zeros((HEIGHT, WIDTH, 5), np.uint8)
    refused(tiff(path, stored, planarconfig="contig"), "holds 5 channels of uint8 with photometric interpretation 1")
    # Pillow would keep the high bytes only, and lose what is below 256.
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    raw = zlib.compress((b"\0" + b"\0\1" * 3 * WIDTH) * HEIGHT)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", raw) + chunk(b"IEND", b"")
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    refused(tmp_path / "m.png", "has several channels of 16 bit")


def test_what_is_too_large_to_be_decoded_is_refused_before_it_is(tmp_path):
    few = Limits(decoded=HEIGHT * WIDTH - 1)
    said = "has 100 x 70 px, too many for PNG, which is decoded whole (the config's max_decoded_megapixels is 0.006999)"
    refused(png(tmp_path / "m.png", MARKED), said, limits=few)
    path = tiff(tmp_path / "m.tif", MARKED * np.uint8(1), compression="deflate", rowsperstrip=HEIGHT)
    refused(path, "is stored in pieces of 100 x 70 px, too large to be decoded (the config's", limits=few)
    np.testing.assert_array_equal(read(tiff(path, MARKED * np.uint8(1)), limits=few), MARKED)


@pytest.mark.parametrize("layout", [None, *TIFF_LAYOUTS], ids=str)
def test_a_truncated_mask_is_refused(tmp_path, layout):
    stored = (np.random.default_rng(0).random((HEIGHT, WIDTH)) < 0.5) * np.uint8(1)
    path = tmp_path / ("m.png" if layout is None else "m.tif")
    (png if layout is None else tiff)(path, stored, **(layout or {}))
    content = path.read_bytes()
    for share in (0.05, 0.5, 0.99):
        path.write_bytes(content[: int(share * len(content))])
        message = refused(path, "cannot be read (")
        assert "take an undamaged copy" in message
    if layout is not None:
        assert "the file ends within its pixels" in message


def test_any_flipped_bit_of_a_pngs_pixels_is_noticed(tmp_path):
    path = png(tmp_path / "m.png", MARKED * np.uint8(255))
    content = path.read_bytes()
    start = content.index(b"IDAT") + 4
    for place in range(start, content.index(b"IEND") - 4, 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        refused(path, "cannot be read (")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_damaged_mask_gives_pixels_or_an_error_in_a_sentence(tmp_path, suffix):
    path = tmp_path / f"m.{suffix}"
    if suffix == "png":
        png(path, MARKED)
    else:
        tiff(path, MARKED * np.uint8(1), tile=(32, 32), compression="deflate")
    content = np.frombuffer(path.read_bytes(), np.uint8)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        damaged = content.copy()
        damaged[rng.integers(0, len(damaged), 5)] = rng.integers(0, 256, 5)
        path.write_bytes(damaged.tobytes())
        with suppress(SlidecafError):  # and no other error
            assert read(path).shape == (HEIGHT, WIDTH)
