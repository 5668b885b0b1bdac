import itertools
import threading
from contextlib import suppress

import imagecodecs
import numpy as np
import pytest
import tifffile
from openslide import OpenSlide, OpenSlideError

from slidecaf.errors import SlideError
from slidecaf.slides import Limits, open_slide
from slidecaf.slides.openslide import OpenSlideSlide
from slidecaf.slides.tiff import TiffSlide

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 70, 100
TILED, STRIPED, ONE_STRIP = {"tile": (32, 64)}, {"rowsperstrip": 11}, {"rowsperstrip": HEIGHT}


def samples(channels, bits):
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return RNG.integers(0, 2**bits, shape).astype(bool if bits == 1 else np.uint8 if bits <= 8 else np.uint16)


def rgb(shape=(HEIGHT, WIDTH)):
    return RNG.integers(0, 256, (*shape, 3)).astype(np.uint8)


def eight(values, bits):
    return np.rint(values * 255.0 / (2**bits - 1))


def on_white(colour, alpha, premultiplied):
    return np.rint((colour if premultiplied else colour * alpha / 255) + 255 - alpha)


def case(kind, bits):
    """Return samples of a kind, how tifffile writes them, and what they look like."""
    if kind in ("grey", "white is zero"):
        stored = samples(1, bits)
        shown = eight(stored, bits) if kind == "grey" else 255 - eight(stored, bits)
        photometric = "minisblack" if kind == "grey" else "miniswhite"
        return stored, {"photometric": photometric}, np.repeat(shown[..., None], 3, axis=2)
    if kind == "grey with alpha":
        stored = samples(2, bits)
        shown = on_white(eight(stored[..., [0, 0, 0]], bits), eight(stored[..., 1:], bits), False)
        return stored, {"photometric": "minisblack", "extrasamples": ["unassalpha"]}, shown
    if kind == "rgb":
        stored = samples(3, bits)
        return stored, {"photometric": "rgb"}, eight(stored, bits)
    if kind in ("straight alpha", "premultiplied alpha", "unspecified"):
        stored = samples(4, bits)
        if kind == "premultiplied alpha":
            stored[..., :3] = np.minimum(stored[..., :3], stored[..., 3:])
        colour, alpha = eight(stored[..., :3], bits), eight(stored[..., 3:], bits)
        shown = colour if kind == "unspecified" else on_white(colour, alpha, kind.startswith("pre"))
        tag = {"straight alpha": "unassalpha", "premultiplied alpha": "assocalpha"}.get(kind, "unspecified")
        return stored, {"photometric": "rgb", "extrasamples": [tag]}, shown
    if kind == "cmyk":
        stored = samples(4, bits)
        light = 255 - eight(stored, bits)
        return stored, {"photometric": "separated"}, np.rint(light[..., :3] * light[..., 3:] / 255)
    stored, colours = samples(1, bits), RNG.integers(0, 2**16, (3, 2**bits)).astype(np.uint16)
    return stored, {"photometric": "palette", "colormap": colours}, np.rint(colours.T[stored] / 257)


KINDS = [
    "grey",
    "white is zero",
    "grey with alpha",
    "rgb",
    "straight alpha",
    "premultiplied alpha",
    "unspecified",
    "cmyk",
    "palette",
]


def write(path, image, **options):
    tifffile.imwrite(path, image, **{"metadata": None, **options})
    return path


def whole(path):
    with open_slide(path) as slide:
        return slide.read(0, 0, slide.width, slide.height)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pixel_is_shown_in_every_layout(tmp_path, kind, bits):
    stored, options, shown = case(kind, bits)
    layouts = [TILED, STRIPED, ONE_STRIP]
    for layout, compression, byteorder in itertools.product(layouts, (None, "deflate", "lzw"), "<>"):
        options |= {**layout, "compression": compression, "byteorder": byteorder, "predictor": compression == "lzw"}
        path = write(tmp_path / "a.tif", stored, **options)
        np.testing.assert_array_equal(whole(path), shown, err_msg=str((layout, compression, byteorder)))
        options = {key: value for key, value in options.items() if key not in layout}
        if stored.ndim == 3:
            planes = np.ascontiguousarray(np.moveaxis(stored, -1, 0))
            path = write(tmp_path / "b.tif", planes, planarconfig="separate", **options, **layout)
            np.testing.assert_array_equal(whole(path), shown, err_msg=str((layout, compression, byteorder, "planes")))


@pytest.mark.parametrize("layout", [TILED, STRIPED, ONE_STRIP])
@pytest.mark.parametrize("kind", ["grey", "white is zero"])
def test_one_bit_is_black_and_white(tmp_path, kind, layout):
    stored, options, shown = case(kind, 1)
    np.testing.assert_array_equal(whole(write(tmp_path / "a.tif", stored, **options, **layout)), shown)


@pytest.mark.parametrize("layout", [TILED, STRIPED])
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_jpeg_is_decoded_from_ycbcr(tmp_path, subsampling, layout):
    image = np.broadcast_to(np.linspace(0, 255, WIDTH).astype(np.uint8)[None, :, None], (HEIGHT, WIDTH, 3))
    layout = {"rowsperstrip": 16} if layout == STRIPED else layout
    for kind in (image, image[..., 0]):
        photometric = "rgb" if kind.ndim == 3 else "minisblack"
        options = {"photometric": photometric, "compression": "jpeg", "compressionargs": {"level": 95}}
        path = write(tmp_path / "a.tif", kind, subsampling=subsampling if kind.ndim == 3 else None, **options, **layout)
        np.testing.assert_allclose(whole(path), image, atol=6)


@pytest.mark.parametrize("compression", ["zstd", "packbits", "lzma", "webp", "jpeg2000", "jpegxl", "lerc", "png"])
@pytest.mark.parametrize("layout", [TILED, STRIPED])
def test_other_lossless_compressions_are_decoded(tmp_path, compression, layout):
    image = rgb()
    layout = {"tile": (32, 64)} if layout == TILED else {"rowsperstrip": 14}
    arguments = {"compressionargs": {"lossless": True}} if compression in ("webp", "jpegxl") else {}
    path = write(tmp_path / "a.tif", image, photometric="rgb", compression=compression, **arguments, **layout)
    np.testing.assert_array_equal(whole(path), image)


@pytest.mark.parametrize("layout", [TILED, STRIPED, ONE_STRIP])
def test_bigtiff_is_read_by_region_at_any_place(tmp_path, layout):
    image = rgb()
    path = write(tmp_path / "a.tif", image, photometric="rgb", bigtiff=True, compression="deflate", **layout)
    with TiffSlide("a", path, mpp=None) as slide:
        for _ in range(50):
            x, y = RNG.integers(0, (WIDTH, HEIGHT))
            width, height = RNG.integers(1, (WIDTH - x + 1, HEIGHT - y + 1))
            region = slide.read(x, y, width, height)
            np.testing.assert_array_equal(region, image[y : y + height, x : x + width])
            assert region.flags.c_contiguous
            assert region.flags.writeable


def wrong_by_openslide(kind, bits):
    return bits == 1 or kind in ("grey with alpha", "unspecified") or (bits == 16 and kind not in RIGHT_OF_16_BIT)


RIGHT_OF_16_BIT = ("rgb", "straight alpha", "premultiplied alpha")


@pytest.mark.parametrize(("kind", "bits"), [*itertools.product(KINDS, [8, 16]), ("grey", 1), ("white is zero", 1)])
def test_openslide_gets_no_kind_of_tiled_tiff_that_it_shows_wrongly(tmp_path, kind, bits):
    stored, options, shown = case(kind, bits)
    path = write(tmp_path / "a.tif", stored, **options, tile=(32, 64), compression="packbits")
    assert OpenSlide.detect_format(path) == "generic-tiff"
    with open_slide(path) as slide:
        given_to_openslide = isinstance(slide, OpenSlideSlide)
    try:
        with OpenSlide(path) as handle:
            rgba = np.asarray(handle.read_region((0, 0), 0, (WIDTH, HEIGHT))).astype(float)
        right = np.abs(on_white(rgba[..., :3], rgba[..., 3:], False) - shown).max() <= 1
    except OpenSlideError:
        right = False
    # Where this fails for a later OpenSlide, `suits_openslide` may be widened.
    assert right == (not wrong_by_openslide(kind, bits))
    assert right or not given_to_openslide


@pytest.mark.parametrize("compression", ["lzw", "deflate", "jpeg", "packbits", "zstd"])
def test_openslide_gets_plain_tiled_tiff(tmp_path, compression):
    path = write(tmp_path / "a.tif", rgb(), photometric="rgb", tile=(32, 64), compression=compression)
    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideSlide)
        assert slide.read(0, 0, WIDTH, HEIGHT).shape == (HEIGHT, WIDTH, 3)


def test_uncompressed_tiles_of_any_size_are_read_though_openslide_reads_whole_kib_only(tmp_path):
    image = rgb()
    path = write(tmp_path / "a.tif", image, photometric="rgb", tile=(48, 48))
    np.testing.assert_array_equal(whole(path), image)
    with OpenSlide(path) as handle, pytest.raises(OpenSlideError):
        handle.read_region((0, 0), 0, (10, 10))


def test_a_turned_image_is_shown_as_stored(tmp_path):
    image = rgb()
    path = write(tmp_path / "a.tif", image, photometric="rgb", tile=(32, 64), extratags=[(274, 3, 1, 3, True)])
    np.testing.assert_array_equal(whole(path), image)


@pytest.mark.parametrize("compression", [None, "deflate", "jpeg"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_tile_that_is_not_stored_is_white(tmp_path, compression, channels):
    tiles = [np.full((32, 32, channels), 77, np.uint8), None, None, np.full((32, 32, channels), 77, np.uint8)]
    options = {"photometric": "rgb"} if channels == 3 else {"photometric": "separated"}
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        options |= {"shape": (64, 64, channels), "dtype": np.uint8, "tile": (32, 32), "compression": compression}
        writer.write(iter(tiles), **options)
    image = whole(tmp_path / "a.tif")
    assert (image[:32, 32:] == 255).all()
    assert (image[32:, :32] == 255).all()
    assert (image[:32, :32] < 200).all()


@pytest.mark.parametrize(
    ("image", "options", "reason"),
    [
        (np.zeros((32, 32), np.float32), {"photometric": "minisblack"}, "32 bit in format 3"),
        (np.zeros((32, 32), np.uint32), {"photometric": "minisblack"}, "32 bit in format 1"),
        (np.zeros((32, 32), np.int8), {"photometric": "minisblack"}, "8 bit in format 2"),
        (np.zeros((32, 32), np.complex64), {"photometric": "minisblack"}, "64 bit in format 6"),
        (np.zeros((32, 32, 5), np.uint8), {"photometric": "rgb"}, "interpretation 2 with 5 channels"),
        (np.zeros((32, 32, 3), np.uint8), {"photometric": "minisblack", "planarconfig": 1}, "1 with 3 channels"),
        (np.zeros((32, 32, 3), np.uint8), {"photometric": "cielab"}, "interpretation 8 with 3 channels"),
        (np.zeros((4, 32, 32), np.uint8), {"photometric": "minisblack"}, "4 images"),
        (np.zeros((16, 32, 32), np.uint8), {"photometric": "minisblack", "volumetric": True}, "16 planes of depth"),
    ],
)
@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 8}])
def test_what_is_not_supported_is_refused_by_its_name(tmp_path, image, options, reason, layout):
    if "volumetric" in options:
        layout = {"tile": (16, 16, 16)}
    path = write(tmp_path / "odd.tif", image, **options, **layout)
    with pytest.raises(SlideError, match=f"slide odd: .*odd.tif.* .*{reason}"):
        open_slide(path)


def test_a_compression_that_is_not_known_is_refused(shared_data):
    with pytest.raises(SlideError, match=r"slide unopenable: .*compression 52479 is not supported"):
        open_slide(shared_data / "slides" / "unopenable.tiff")


def halves(image):
    while min(image.shape[:2]) > 10:
        yield image
        image = image[::2, ::2]


@pytest.mark.parametrize("below", [False, True])
def test_reduced_pages_are_levels_and_others_are_not(tmp_path, below):
    levels = list(halves(rgb((130, 170))))
    options = {"photometric": "rgb", "compression": "deflate", "metadata": None, "rowsperstrip": 8}
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(levels[0], **options, subifds=len(levels) - 1 if below else None)
        for level in levels[1:]:
            writer.write(level, **options, subfiletype=1)
        writer.write(rgb((40, 90)), **options, subfiletype=1)  # an overview: other proportions
        writer.write(rgb((65, 85)), **options)  # not marked as reduced
    with open_slide(tmp_path / "a.tif") as slide:
        sizes = [(level.height, level.width) for level in slide.levels]
        assert sizes == [level.shape[:2] for level in levels]
        assert [level.downsample for level in slide.levels] == pytest.approx([1, 2, 4, 8], rel=0.05)
        for index, level in enumerate(levels):
            np.testing.assert_array_equal(slide.read(2, 3, 9, 5, index), level[3:8, 2:11])


def test_levels_below_a_tiled_page_are_found_though_openslide_does_not(tmp_path):
    image = rgb((128, 128))
    options = {"photometric": "rgb", "tile": (32, 32), "metadata": None}
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(image, **options, subifds=1)
        writer.write(image[::4, ::4], **options, subfiletype=1)
    with open_slide(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 32, 32, 1), image[::4, ::4])


@pytest.mark.parametrize("tile", [{}, {"tile": (32, 32)}])
@pytest.mark.parametrize(
    ("resolution", "unit", "mpp"),
    [
        ((20000, 20000), "CENTIMETER", 0.5),
        ((20000, 40000), "CENTIMETER", 0.375),
        ((50800, 50800), "INCH", 0.5),
        ((72, 72), "INCH", None),
        ((20000, 20000), "NONE", None),
    ],
)
def test_the_resolution_is_read_where_it_has_a_unit_and_is_plausible(tmp_path, resolution, unit, mpp, tile):
    path = tmp_path / "a.tif"
    write(path, rgb(), photometric="rgb", resolution=resolution, resolutionunit=unit, **tile)
    with open_slide(path) as slide:
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-6))
    with open_slide(path, mpp=0.7) as slide:
        assert slide.mpp == 0.7


@pytest.mark.parametrize("layout", [{"tile": (32, 32)}, {"rowsperstrip": 8}])
def test_the_whole_part_of_a_truncated_file_is_still_read(tmp_path, layout):
    image = RNG.integers(0, 2**16, (128, 128, 3)).astype(np.uint16)
    path = tmp_path / "cut.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(image, photometric="rgb", compression="lzw", metadata=None, **layout)
    with tifffile.TiffFile(path) as tiff:
        last = tiff.pages[0].dataoffsets[-1]
    path.write_bytes(path.read_bytes()[: last + 20])
    with TiffSlide("cut", path, mpp=None) as slide:
        with pytest.raises(SlideError, match=r"slide cut: .*cut.tif: 8 x 8 px at \(120, 120\) of level 0 cannot be"):
            slide.read(120, 120, 8, 8)
        np.testing.assert_array_equal(slide.read(0, 0, 8, 8), eight(image[:8, :8], 16))


def test_an_uncompressed_truncated_file_is_an_error(tmp_path):
    path = write(tmp_path / "cut.tif", rgb(), photometric="rgb")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SlideError, match="slide cut"):
        open_slide(path)


@pytest.mark.parametrize("layout", [{"tile": (32, 32)}, {"rowsperstrip": 8}, {"rowsperstrip": 64}])
@pytest.mark.parametrize("compression", [None, "lzw", "jpeg"])
def test_a_damaged_file_gives_pixels_or_a_slide_error(tmp_path, layout, compression):
    path = write(tmp_path / "bad.tif", rgb((64, 64)), photometric="rgb", compression=compression, **layout)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        damaged = content.copy()
        # Half of the damage in the header and the tags, where it does most.
        places = np.r_[rng.integers(0, 300, 3), rng.integers(0, len(damaged), 3)]
        damaged[places] = rng.integers(0, 256, 6)
        path.write_bytes(damaged.tobytes())
        with suppress(SlideError), TiffSlide("bad", path, mpp=None) as slide:  # and no other error
            slide.read(0, 0, min(64, slide.width), min(64, slide.height))


@pytest.mark.parametrize("layout", [{"tile": (32, 32)}, {"rowsperstrip": 8}])
def test_absurd_sizes_are_an_error(tmp_path, layout):
    path = write(tmp_path / "huge.tif", rgb(), photometric="rgb", compression="deflate", **layout)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for tag in ("ImageWidth", "ImageLength"):
            tiff.pages[0].tags[tag].overwrite(2**31 - 1, dtype=4)
    with pytest.raises(SlideError, match="slide huge"):
        TiffSlide("huge", path, mpp=None)


def test_a_strip_too_large_to_be_decoded_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", rgb(), photometric="rgb", compression="deflate", **ONE_STRIP)
    few = Limits(decoded=HEIGHT * WIDTH - 1)
    with pytest.raises(SlideError, match=r"strip of 100 x 70 px cannot be decoded at once.* tiled RGB TIFF"):
        open_slide(path, limits=few)
    # Without compression nothing has to be decoded.
    with open_slide(write(path, rgb(), photometric="rgb", **ONE_STRIP), limits=few) as slide:
        assert slide.read(0, 0, WIDTH, HEIGHT).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("layout", [TILED, STRIPED])
def test_threads_read_the_same_pixels(tmp_path, layout):
    image = rgb((300, 400))
    path = write(tmp_path / "a.tif", image, photometric="rgb", compression="lzw", byteorder=">", **layout)
    wrong = []
    with open_slide(path) as slide:

        def work(seed):
            rng = np.random.default_rng(seed)
            for _ in range(30):
                x, y = (int(place) for place in rng.integers(0, (370, 270)))
                if not np.array_equal(slide.read(x, y, 30, 30), image[y : y + 30, x : x + 30]):
                    wrong.append((x, y))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def smooth(height=64, width=96):
    """Return RGB that lossy steps change little, far from grey."""
    y, x = np.mgrid[:height, :width] / np.array([height, width]).max()
    return np.stack([60 + 180 * x, 40 + 90 * y, 200 - 120 * x * y], axis=-1).astype(np.uint8)


def ycbcr(image):
    """ITU-R BT.601 over the full range, as JPEG has it."""
    red, green, blue = np.moveaxis(image.astype(float), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.rint(np.stack([luma, 128 + (blue - luma) / 1.772, 128 + (red - luma) / 1.402], axis=-1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("compression", "stored", "box"),
    [(33003, ycbcr, None), (33003, ycbcr, 3), (33005, np.asarray, None), (34712, np.asarray, None), (34712, ycbcr, 3)],
)
def test_jpeg_2000_has_the_colours_that_its_compression_says(tmp_path, compression, stored, box):
    # 33003 is YCbCr by Aperio though PhotometricInterpretation is RGB; 3 is sYCC, in the box of a JP2 file
    image = smooth()
    codec = {"level": 0, "mct": False, "codecformat": "jp2" if box else "j2k", "colorspace": box}
    places = itertools.product((0, 32), (0, 48))
    tiles = [imagecodecs.jpeg2k_encode(stored(image[y : y + 32, x : x + 48]), **codec) for y, x in places]
    options = {"photometric": "rgb", "tile": (32, 48), "compression": compression, "description": ""}
    path = write(tmp_path / "a.tif", iter(tiles), shape=image.shape, dtype=np.uint8, **options)
    assert np.abs(whole(path).astype(int) - image).max() <= 3


def test_subsampled_jpeg_2000_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", smooth(), photometric="rgb", tile=(64, 96), compression=33003)
    content = path.read_bytes()
    place = content.index(b"\xff\x4f\xff\x51")  # of the codestream; a channel's steps follow its bits
    path.write_bytes(content[: place + 46] + b"\x02\x01" + content[place + 48 :])
    with pytest.raises(SlideError, match="subsampled colours"):
        whole(path)


@pytest.mark.parametrize("said", [{"extratags": [(281, 3, 3, (4095,) * 3, True)]}, {"ome": 12}])
def test_twelve_bits_in_sixteen_are_not_read_as_black(tmp_path, said):
    image = RNG.integers(0, 2**12, (HEIGHT, WIDTH, 3)).astype(np.uint16)
    image[0, 0] = 5000  # above what the file says is white
    options = {"photometric": "rgb", "tile": (32, 64)}
    if "ome" in said:
        path = tmp_path / "a.ome.tif"
        tifffile.imwrite(path, image, **options, ome=True, metadata={"axes": "YXS", "SignificantBits": 12})
    else:
        path = write(tmp_path / "a.tif", image, **options, **said)
    np.testing.assert_array_equal(whole(path), np.minimum(eight(image.astype(float), 12), 255))


def scenes(path, *images, ome=True, **options):
    """Write several images into one file: (name, pixels, further metadata)."""
    with tifffile.TiffWriter(path, ome=ome) as writer:
        for name, image, more in images:
            metadata = {"Name": name, **more} if ome else None
            writer.write(image, photometric="rgb", metadata=metadata, **{"tile": (32, 32), **options})
    return path


def test_of_several_scenes_the_sheet_names_one(tmp_path):
    first, second, label = rgb((96, 128)), rgb((80, 64)), rgb((50, 40))
    path = scenes(tmp_path / "a.ome.tif", ("left", first, {}), ("right", second, {}), ("label image", label, {}))
    with pytest.raises(SlideError, match=r"holds 2 images.*column scene \(0: 'left' of 128 x 96 px, 1: 'right' of 64"):
        open_slide(path)
    for scene, image in (("0", first), ("left", first), ("1", second), ("right", second)):
        with open_slide(path, scene=scene) as slide:
            np.testing.assert_array_equal(slide.read(0, 0, slide.width, slide.height), image)
    for scene in ("2", "label image", "Left"):
        with pytest.raises(SlideError, match=f"holds no image '{scene}'; write a number of these"):
            open_slide(path, scene=scene)


def test_two_scenes_of_one_name_are_told_by_their_number(tmp_path):
    images = [rgb((64, 64)), rgb((64, 64))]
    path = scenes(tmp_path / "a.ome.tif", *(("scan", image, {}) for image in images))
    with pytest.raises(SlideError, match="holds several images 'scan'"):
        open_slide(path, scene="scan")
    with open_slide(path, scene="1") as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 64, 64), images[1])


def test_a_scene_has_the_levels_below_it(tmp_path):
    images = [rgb((96, 128)), rgb((80, 64))]
    options = {"photometric": "rgb", "tile": (32, 32)}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        for image in images:
            writer.write(image, **options, subifds=1)
            writer.write(image[::2, ::2], **options, subfiletype=1)
    with open_slide(tmp_path / "a.ome.tif", scene="1") as slide:
        assert [(level.width, level.height) for level in slide.levels] == [(64, 80), (32, 40)]
        np.testing.assert_array_equal(slide.read(0, 0, 32, 40, 1), images[1][::2, ::2])


def test_one_scene_with_label_and_overview_needs_no_choice(tmp_path):
    image = rgb((96, 128))
    images = [("macro", rgb((40, 90)), {}), ("scan", image, {}), ("Label Image", rgb((50, 40)), {})]
    path = scenes(tmp_path / "a.ome.tif", *images)
    np.testing.assert_array_equal(whole(path), image)  # though it is not the file's first


def test_pages_without_a_description_are_scenes_where_they_are_as_large_and_stored_alike(tmp_path):
    images = [rgb((96, 128)), rgb((80, 64))]
    path = scenes(tmp_path / "a.tif", *(("", image, {}) for image in images), ome=False)
    with pytest.raises(SlideError, match=r"holds 2 images.*\(0: 128 x 96 px, 1: 64 x 80 px\)"):
        open_slide(path)
    with open_slide(path, scene="1") as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 64, 80), images[1])
    small = scenes(tmp_path / "b.tif", ("", images[0], {}), ("", rgb((40, 50)), {}), ome=False)
    np.testing.assert_array_equal(whole(small), images[0])  # a label or an overview


def test_a_first_page_that_is_smaller_than_another_is_no_slide_by_itself(tmp_path):
    path = scenes(tmp_path / "a.tif", ("", rgb((48, 64)), {}), ("", rgb((96, 100)), {}), ome=False, tile=None)
    with pytest.raises(SlideError, match="holds 2 images"):
        open_slide(path)


@pytest.mark.parametrize("axes", ["ZYXS", "TYXS"])
def test_planes_of_one_image_are_refused(tmp_path, axes):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, rgb((3, 64, 64)), photometric="rgb", ome=True, metadata={"axes": axes}, tile=(32, 32))
    with pytest.raises(SlideError, match="3 focal planes, times or channels"):
        open_slide(path)


@pytest.mark.parametrize(
    ("sizes", "mpp"),
    [
        ({"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}, (0.25, 0.25)),
        (
            {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.0005, "PhysicalSizeYUnit": "mm"},
            (0.25, 0.5),
        ),
        ({"PhysicalSizeX": 0.25}, None),
        ({"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel", "PhysicalSizeY": 1, "PhysicalSizeYUnit": "pixel"}, None),
    ],
)
def test_the_resolution_of_ome_xml_is_read_in_both_directions(tmp_path, sizes, mpp):
    path = scenes(tmp_path / "a.ome.tif", ("scan", rgb((64, 64)), sizes))
    with open_slide(path) as slide:
        assert slide.file_mpp == (None if mpp is None else pytest.approx(mpp))
        assert slide.is_square == (mpp is None or mpp[0] == mpp[1])


def test_what_is_one_image_has_no_scene(tmp_path, shared_data):
    with pytest.raises(SlideError, match="leave that cell empty"):
        open_slide(shared_data / "slides/cmu-1-small-region.svs", scene="0")
