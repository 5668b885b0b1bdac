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
from slidecaf.segmentation import mask_values
from slidecaf.segmentation.masks import Mask, mask_strips
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


def indexed(path, stored, colours):
    """Write indices with a palette."""
    if path.suffix == ".tif":
        table = np.zeros((3, 256), np.uint16)
        table[:, : len(colours)] = np.transpose(colours) * 257
        return tiff(path, stored, photometric="palette", colormap=table)
    image = Image.fromarray(stored)
    image.putpalette(np.ravel(colours).tolist())
    image.save(path)
    return path


def leave_out_a_tile(path):
    """Make a TIFF file sparse: its first tile is not stored."""
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        for name, values in (("TileOffsets", page.dataoffsets), ("TileByteCounts", page.databytecounts)):
            page.tags[name].overwrite([0, *values[1:]])


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


@pytest.mark.parametrize("layout", TIFF_LAYOUTS, ids=str)
@pytest.mark.parametrize("kind", [bool, np.uint8, np.uint16])
def test_white_is_foreground_also_where_the_file_has_0_for_it(tmp_path, layout, kind):
    white = np.array(1 if kind is bool else np.iinfo(kind).max, kind)
    stored = np.where(MARKED, np.array(0, kind), white)
    path = tiff(tmp_path / "m.tif", stored, photometric="miniswhite", **layout)
    np.testing.assert_array_equal(read(path), MARKED)
    np.testing.assert_array_equal(read(path, mask_value=int(white)), MARKED)  # the value turned round


def test_a_fax_of_a_mask_is_what_it_shows(tmp_path):
    path = tmp_path / "m.tif"
    Image.fromarray(MARKED).save(path, compression="group4")
    with tifffile.TiffFile(path, mode="r+") as file:  # as scanners and fax programs write it, with 0 for white
        file.pages[0].tags["PhotometricInterpretation"].overwrite(0)
    with Image.open(path) as shown:
        np.testing.assert_array_equal(read(path), np.array(shown))


def test_white_as_0_is_refused_where_nobody_knows_what_it_stands_for(tmp_path):
    path = tiff(tmp_path / "m.tif", MARKED * np.int16(1), photometric="miniswhite")
    refused(path, "holds numbers with a sign of which 0 is white; save it with 0 for black")
    tiff(path, MARKED * np.uint8(255), photometric="miniswhite", tile=(32, 32), compression="deflate")
    leave_out_a_tile(path)
    refused(path, "leaves out tiles or strips, and has 0 for white; save it with 0 for black")
    path = tiff(tmp_path / "m.tif", MARKED * np.uint8(1), photometric="miniswhite")
    refused(path, "holds two values and none is 0: 254, 255;")


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("marked", [MARKED, np.zeros_like(MARKED), np.ones_like(MARKED)], ids=["some", "none", "all"])
def test_a_palette_whose_background_is_lighter_is_refused_unless_a_value_is_meant(tmp_path, suffix, marked):
    for first, second in (([255, 255, 255], [0, 0, 0]), ([0, 0, 0], [255, 0, 0])):
        path = indexed(tmp_path / f"m.{suffix}", marked * np.uint8(1), [first, second])
        np.testing.assert_array_equal(read(path, mask_value=1), marked)
        if max(first):
            said = refused(path, "has a palette whose index 0 is lighter than another, so that it may be either;")
            assert "set segmentation.mask_value to the one that is meant" in said
        else:
            np.testing.assert_array_equal(read(path), marked)


def test_a_transparent_background_of_a_palette_is_background(tmp_path):
    image = Image.fromarray(MARKED * np.uint8(1))
    image.putpalette([0, 0, 0, 255, 255, 255])
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


@settings(max_examples=25)
@given(st.data())
def test_strips_are_of_the_rows_asked_for_whatever_the_layout(tmp_path_factory, data):
    height, width, rows = (data.draw(st.integers(1, 80)) for _ in range(3))
    layout = data.draw(st.sampled_from([{"tile": (16, 32), "compression": "lzw"}, {"rowsperstrip": 7}, {}]))
    marked = np.random.default_rng(height).random((height, width)) < 0.5
    path = tiff(tmp_path_factory.mktemp("layout") / "m.tif", marked * np.uint8(1), **layout)
    with pytest.MonkeyPatch.context() as patch:
        piece = data.draw(st.integers(1, 3000))
        patch.setattr(mask_values, "PIECE", piece)
        patch.setattr(pages, "BAND_PIXELS", piece)
        got = strips(path, width=width, height=height, rows=rows)
    assert [len(strip) for strip in got[:-1]] == [rows] * (len(got) - 1)
    assert all(strip.dtype == bool for strip in got)
    np.testing.assert_array_equal(np.concatenate(got), marked)


def test_the_one_page_of_the_slides_size_is_taken(tmp_path):
    with tifffile.TiffWriter(tmp_path / "m.tif") as file:
        file.write(np.full((7, 10), 3, np.uint8), photometric="minisblack")
        file.write(MARKED * np.uint8(1), photometric="minisblack", tile=(16, 16), subifds=1)
        file.write(MARKED[::2, ::2] * np.uint8(1), photometric="minisblack", subfiletype=1)
        file.write(MARKED[::4, ::4] * np.uint8(1), photometric="minisblack", subfiletype=1)
    np.testing.assert_array_equal(read(tmp_path / "m.tif"), MARKED)


@pytest.mark.parametrize("bounds", [(7, 5, 100, 70), (0, 0, 100, 70), (-3, -2, 100, 70), (30, 40, 100, 70)], ids=str)
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("rows", [1, 33, 256])
def test_a_mask_of_the_size_of_the_bounds_lies_there(tmp_path, bounds, suffix, rows):
    path = (png if suffix == "png" else tiff)(tmp_path / f"m.{suffix}", MARKED * np.uint8(255))
    across, down, (left, top, *_) = 120, 90, bounds
    wide = np.zeros((down + 300, across + 300), bool)
    wide[150 + top : 150 + top + HEIGHT, 150 + left : 150 + left + WIDTH] = MARKED
    found = read(path, width=across, height=down, bounds=bounds, rows=rows)
    np.testing.assert_array_equal(found, wide[150 : 150 + down, 150 : 150 + across])


def test_a_mask_of_the_slides_size_lies_on_all_of_it_whatever_the_bounds(tmp_path):
    path = tiff(tmp_path / "m.tif", MARKED * np.uint8(1))
    np.testing.assert_array_equal(read(path, bounds=(20, 10, 60, 40)), MARKED)
    with tifffile.TiffWriter(path) as file:  # a reduced level of the bounds' size is no mask of them
        file.write(MARKED * np.uint8(1), photometric="minisblack")
        file.write(MARKED[::2, ::2] * np.uint8(1), photometric="minisblack", subfiletype=1)
    np.testing.assert_array_equal(read(path, bounds=(20, 10, 50, 35)), MARKED)


def test_a_mask_of_neither_size_is_refused_with_both(tmp_path):
    path = tiff(tmp_path / "m.tif", MARKED * np.uint8(1))
    said = "has 100 x 70 px, and the slide 200 x 150; save it at the slide's full size or at 90 x 60, the size of its"
    refused(path, said, width=200, height=150, bounds=(20, 10, 90, 60))


def test_tiles_left_out_of_a_sparse_file_are_background(tmp_path):
    path, stored = tmp_path / "m.tif", MARKED.copy()
    tiff(path, stored * np.uint8(1), tile=(32, 32), compression="deflate")
    leave_out_a_tile(path)
    stored[:32, :32] = False
    np.testing.assert_array_equal(read(path), stored)


def test_the_real_masks_are_what_pillow_reads(shared_data):
    for path in sorted((shared_data / "gbm_necrosis" / "masks").glob("*.png"))[::4]:
        np.testing.assert_array_equal(read(path, width=1024, height=1024), np.array(Image.open(path)) > 0)


@pytest.mark.parametrize("layout", [{}, {"tile": (64, 64), "compression": "deflate"}], ids=["whole", "tiled"])
def test_memory_does_not_grow_with_the_height_of_a_tiff(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(mask_values, "PIECE", 2**15)
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
    monkeypatch.setattr(mask_values, "PIECE", 900)
    np.testing.assert_array_equal(read(png(tmp_path / "m.png", MARKED)), MARKED)


def test_a_missing_file_is_refused(tmp_path):
    assert refused(tmp_path / "m.png", "is no file").endswith("correct the sheet's column mask.")
    refused(tmp_path, "is no file")


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "m.png"
    Image.fromarray(MARKED).convert("L").save(path, format="jpeg")
    refused(path, "is neither PNG nor TIFF nor GeoJSON; save it as PNG, TIFF or GeoJSON")
    path.write_bytes(b"")
    refused(path, "is empty; save it as PNG, TIFF or GeoJSON")


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
    monkeypatch.setattr(mask_values, "PIECE", WIDTH)
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
    stored = np.zeros((HEIGHT, WIDTH, 4), np.uint8)  # a fourth channel of which nobody says what it is
    refused(tiff(path, stored, photometric="rgb", extrasamples=["unspecified"]), "holds 4 channels of uint8 with photo")
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


def test_a_mask_that_is_shown_turned_is_refused(tmp_path):
    said = "says that it is shown turned (orientation 6); save it unrotated, as the slide is"
    refused(tiff(tmp_path / "m.tif", MARKED * np.uint8(1), extratags=[(274, 3, 1, 6, True)]), said)
    exif = Image.Exif()
    exif[274] = 6
    refused(png(tmp_path / "m.png", MARKED, exif=exif), said)


def test_a_png_of_several_images_is_refused(tmp_path):
    others = [Image.fromarray(~MARKED)]
    path = png(tmp_path / "m.png", MARKED, save_all=True, append_images=others)
    refused(path, "holds 2 images; save the one that is meant by itself")


def test_values_below_0_are_refused_unless_another_one_is_meant(tmp_path):
    path = tiff(tmp_path / "m.tif", MARKED * np.int16(-1))
    assert "segmentation.mask_value" in refused(path, "holds values below 0, such as -1;")
    np.testing.assert_array_equal(read(path, mask_value=0), ~MARKED)


def test_a_value_by_which_the_file_says_no_data_is_no_foreground(tmp_path):
    nodata = [(42113, 2, 4, "255", True)]
    path = tiff(tmp_path / "m.tif", MARKED * np.uint8(255), extratags=nodata)
    refused(path, "holds 255, by which it says that no data are there;")
    np.testing.assert_array_equal(read(path, mask_value=255), MARKED)
    np.testing.assert_array_equal(read(tiff(path, MARKED * np.uint8(1), extratags=nodata)), MARKED)


def test_a_lossy_mask_is_refused(tmp_path):
    stored = np.kron(MARKED, np.ones((4, 4), np.uint8)) * np.uint8(255)
    path = tiff(tmp_path / "m.tif", stored, tile=(64, 64), compression="jpeg", compressionargs={"level": 50})
    refused(path, "holds more than two values", width=4 * WIDTH, height=4 * HEIGHT)


def test_colours_of_two_classes_are_refused(tmp_path):
    stored = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stored[:5], stored[9:20] = (255, 0, 0), (0, 255, 0)
    refused(
        png(tmp_path / "m.png", stored), "holds more than two values, among them (0, 0, 0), (0, 255, 0), (255, 0, 0)"
    )


def looked(path, most=None, **options):
    place = {"slide": "a-1", "row": 7, "column": "mask", "width": WIDTH, "height": HEIGHT}
    mask = Mask(path, **{**place, **options})
    mask.look(most)
    return mask


def test_a_mask_says_its_size_its_share_and_what_it_holds(tmp_path):
    mask = looked(tiff(tmp_path / "m.tif", MARKED * np.uint8(255)))
    assert (mask.size, mask.marked, mask.pixels) == ((WIDTH, HEIGHT), MARKED.sum(), MARKED.size)
    assert mask.warning == ""
    placed = looked(tmp_path / "m.tif", width=300, height=200, bounds=(9, 9, WIDTH, HEIGHT))
    assert (placed.size, placed.marked, placed.pixels) == ((WIDTH, HEIGHT), MARKED.sum(), MARKED.size)


def test_a_mask_without_the_value_that_is_meant_and_with_others_is_warned_about(tmp_path):
    stored = MARKED * np.uint8(255)
    mask = looked(png(tmp_path / "m.png", stored), mask_value=1)
    assert mask.marked == 0
    assert mask.warning.startswith("row 7, column mask: the mask of slide 'a-1'")
    assert (
        "has no pixel of segmentation.mask_value: 1 and holds 0, 255; correct segmentation.mask_value" in mask.warning
    )
    assert looked(tmp_path / "m.png", mask_value=255).warning == ""
    assert looked(png(tmp_path / "m.png", stored * 0), mask_value=1).warning == ""  # an empty mask holds nothing else


def test_of_a_large_mask_bands_are_looked_at_from_top_to_bottom(tmp_path):
    stored = np.zeros((1024, 64), np.uint8)
    stored[512:] = 1
    path = tiff(tmp_path / "m.tif", stored, tile=(16, 64), compression="deflate")
    mask = looked(path, most=stored.size // 4, width=64, height=1024)
    assert mask.pixels == stored.size // 4
    assert mask.marked / mask.pixels == 0.5


def test_keys_of_the_config_concern_masks_of_necrosis_alone(tmp_path):
    path = tiff(tmp_path / "m.tif", MARKED * np.uint8(1))
    place = {"slide": "a-1", "row": 7, "column": "hemorrhage", "width": WIDTH, "height": HEIGHT}
    found = np.concatenate(list(mask_strips(path, mask_value=9, mask_channel="dead", **place)))
    np.testing.assert_array_equal(found, MARKED)
    tiff(path, MARKED * np.uint8(1) + 1)
    with pytest.raises(SlidecafError, match="none is 0: 1, 2; save it with two values") as raised:
        list(mask_strips(path, **place))
    assert "mask_value" not in str(raised.value)
