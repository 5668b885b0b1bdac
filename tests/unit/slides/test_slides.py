"""Slides of every kind give the pixels that were put into them, region by region."""

import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.slides import image, open_slide
from slidecaf.slides.tiff import TiffSlide


def picture(height=300, width=420, seed=0):
    """Return smooth colours, which lossy compression keeps."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    a, b, c = rng.uniform(0.5, 2, 3)
    waves = [np.sin(x / 40 * a + y / 60), np.cos(x / 50 - y / 45 * b), np.sin((x + y) / 70 * c)]
    return np.stack([127 + 120 * wave for wave in waves], -1).astype(np.uint8)


def whole(path, **options):
    with open_slide(path, **options) as slide:
        return slide.read(0, 0, slide.width, slide.height)


RGB = picture()
ALPHA = np.tile(np.linspace(0, 255, 420).astype(np.uint8), (300, 1))
ON_WHITE = np.rint((RGB * (ALPHA[..., None] / 255.0)) + 255 * (1 - ALPHA[..., None] / 255.0))
INK = np.concatenate([RGB, ALPHA[..., None]], -1)
GREY = RGB[..., 0]
COLORS = np.random.default_rng(5).integers(0, 256, (3, 256)).astype(np.uint16) * 257

KINDS = {
    "RGB": (RGB, {"photometric": "rgb"}, RGB),
    "RGB, planes apart": (np.moveaxis(RGB, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, RGB),
    "RGB, 16 bit": (RGB.astype(np.uint16) * 257, {"photometric": "rgb"}, RGB),
    "RGBA": (
        np.concatenate([RGB, ALPHA[..., None]], -1),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        ON_WHITE,
    ),
    "grey": (GREY, {"photometric": "minisblack"}, np.repeat(GREY[..., None], 3, -1)),
    "grey, white is 0": (GREY, {"photometric": "miniswhite"}, np.repeat(255 - GREY[..., None], 3, -1)),
    "grey, 16 bit": (GREY.astype(np.uint16) * 257, {"photometric": "minisblack"}, np.repeat(GREY[..., None], 3, -1)),
    "1 bit": (GREY > 127, {"photometric": "minisblack"}, np.repeat((GREY > 127)[..., None] * 255, 3, -1)),
    "palette": (GREY, {"photometric": "palette", "colormap": COLORS}, (COLORS // 257).T[GREY]),
    "CMYK": (INK, {"photometric": "separated"}, (255.0 - INK[..., :3]) * (255.0 - INK[..., 3:]) / 255),
}
LAYOUTS = {
    "tiles": {"tile": (128, 128)},
    "tiles, deflate": {"tile": (128, 128), "compression": "zlib"},
    "strips": {"rowsperstrip": 16},
    "strips, LZW": {"rowsperstrip": 16, "compression": "lzw"},
    "one strip": {"rowsperstrip": 300},
    "BigTIFF": {"tile": (64, 64), "compression": "zlib", "big": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_tiff_of_any_kind_and_layout_shows_its_pixels(tmp_path, kind, layout):
    pixels, options, expected = KINDS[kind]
    options = options | LAYOUTS[layout]
    big = options.pop("big", False)
    with tifffile.TiffWriter(tmp_path / "slide.tif", bigtiff=big) as writer:
        writer.write(pixels, **options)
    shown = whole(tmp_path / "slide.tif")
    assert shown.dtype == np.uint8
    np.testing.assert_allclose(shown.astype(float), expected.astype(float), atol=1.01)
    with open_slide(tmp_path / "slide.tif") as slide:
        np.testing.assert_array_equal(slide.read(101, 37, 200, 150), shown[37:187, 101:301])


def test_jpeg_inside_tiff_is_near_its_source(tmp_path):
    tifffile.imwrite(tmp_path / "tiles.tif", RGB, photometric="rgb", compression="jpeg", tile=(128, 128))
    Image.fromarray(RGB).save(tmp_path / "strips.tif", compression="jpeg", quality=95)  # YCbCr
    for name in ("tiles.tif", "strips.tif"):
        assert np.abs(whole(tmp_path / name).astype(int) - RGB).mean() < 3


@pytest.mark.parametrize(
    ("pixels", "options"),
    [(GREY.astype(np.float32), {}), (np.zeros((32, 32, 6), np.uint8), {"photometric": "minisblack", "planarconfig": "contig"})],
)
def test_a_tiff_of_a_kind_that_is_not_supported_says_so(tmp_path, pixels, options):
    tifffile.imwrite(tmp_path / "odd.tif", pixels, **options)
    with pytest.raises(SlideError, match=r"slide odd: .*odd\.tif cannot be opened \(its? .*convert it"):
        open_slide(tmp_path / "odd.tif")


@pytest.mark.parametrize(
    ("mode", "source", "expected"),
    [
        ("RGB", RGB, RGB),
        ("L", GREY, np.repeat(GREY[..., None], 3, -1)),
        ("RGBA", np.concatenate([RGB, ALPHA[..., None]], -1), ON_WHITE),
        ("LA", np.stack([GREY, ALPHA], -1), None),
        ("1", GREY > 127, np.repeat((GREY > 127)[..., None] * 255, 3, -1)),
        ("I;16", GREY.astype(np.uint16) * 257, np.repeat(GREY[..., None], 3, -1)),
    ],
)
def test_a_png_of_any_mode_shows_its_pixels(tmp_path, mode, source, expected):
    Image.fromarray(source).save(tmp_path / "slide.png")
    if expected is None:
        grey = np.rint(GREY * (ALPHA / 255.0) + 255 * (1 - ALPHA / 255.0))
        expected = np.repeat(grey[..., None], 3, -1)
    np.testing.assert_allclose(whole(tmp_path / "slide.png").astype(float), expected.astype(float), atol=1.01)


def test_palettes_with_transparency_and_jpegs_of_any_mode_are_shown(tmp_path):
    Image.fromarray(RGB).quantize(64).save(tmp_path / "p.png", transparency=3)
    indices = np.asarray(Image.open(tmp_path / "p.png"))
    assert (whole(tmp_path / "p.png")[indices == 3] == 255).all()
    for mode in ("RGB", "L", "CMYK"):
        Image.fromarray(RGB).convert(mode).save(tmp_path / "s.jpg", quality=97)
        expected = np.asarray(Image.fromarray(RGB).convert(mode).convert("RGB"))
        assert np.abs(whole(tmp_path / "s.jpg").astype(int) - expected).mean() < 3


@pytest.mark.parametrize(("unit", "value", "mpp"), [(3, 20000, 0.5), (2, 50800, 0.5), (1, 20000, None), (2, 72, None)])
def test_resolution_comes_from_the_tags_where_it_is_a_microscopes(tmp_path, unit, value, mpp):
    tifffile.imwrite(
        tmp_path / "s.tif", RGB, photometric="rgb", rowsperstrip=16, resolution=(value, value), resolutionunit=unit
    )
    with open_slide(tmp_path / "s.tif") as slide:
        assert slide.mpp == (pytest.approx(mpp) if mpp else None)
    with open_slide(tmp_path / "s.tif", mpp=0.25) as slide:
        assert slide.mpp == 0.25


def test_pyramid_levels_of_a_striped_tiff_are_found(tmp_path):
    with tifffile.TiffWriter(tmp_path / "p.tif") as writer:
        writer.write(RGB, photometric="rgb", rowsperstrip=16, subifds=1)
        writer.write(RGB[::2, ::2], photometric="rgb", rowsperstrip=16, subfiletype=1)
    with open_slide(tmp_path / "p.tif") as slide:
        assert [(level.width, level.height, level.downsample) for level in slide.levels] == [
            (420, 300, 1),
            (210, 150, 2),
        ]
        np.testing.assert_array_equal(slide.read(10, 20, 50, 60, level=1), RGB[40:160:2, 20:120:2])
        assert [slide.best_level(d) for d in (0.5, 1, 1.9, 2, 5)] == [0, 0, 0, 1, 1]


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(-90, 90),
    st.integers(-90, 90),
    st.integers(1, 120),
    st.integers(1, 120),
)
@settings(max_examples=80, deadline=None)
def test_beyond_the_border_pixels_are_reflected_as_numpy_does(tmp_path_factory, w, h, x, y, width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (h, w, 3)).astype(np.uint8)
    path = tmp_path_factory.mktemp("padded") / "s.png"
    Image.fromarray(pixels).save(path)
    pad = [(max(0, -y), max(0, y + height - h)), (max(0, -x), max(0, x + width - w)), (0, 0)]
    reflected = np.pad(pixels, pad, mode="reflect")
    top, left = y + pad[0][0], x + pad[1][0]
    with open_slide(path) as slide:
        shown = slide.read_padded(x, y, width, height)
    np.testing.assert_array_equal(shown, reflected[top : top + height, left : left + width])


def test_a_region_that_leaves_the_slide_is_refused_by_read(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "s.png")
    with open_slide(tmp_path / "s.png") as slide:
        for region in [(-1, 0, 5, 5), (0, 0, 421, 5), (419, 299, 2, 1), (0, 0, 0, 5)]:
            with pytest.raises(ValueError, match="is not inside level 0"):
                slide.read(*region)


def broken(content):
    def write(path):
        path.write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.mkdir(), "there is no file"),
        (broken(b""), "cannot be read as a slide"),
        (broken(b"hello, this is text"), "cannot be read as a slide"),
        (broken(b"II*\0" + b"\xff" * 40), "cannot be opened"),
        (broken(b"\x89PNG\r\n\x1a\n" + b"\0" * 40), "cannot be read as a slide"),
    ],
    ids=["absent", "folder", "empty", "text", "TIFF of nothing", "PNG of nothing"],
)
def test_what_is_no_slide_is_named_with_what_to_do(tmp_path, make, said):
    make(tmp_path / "bad.png")
    with pytest.raises(SlideError, match=rf"slide s7: .*{said}"):
        open_slide(tmp_path / "bad.png", name="s7")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_a_truncated_file_is_an_error_that_names_the_slide(tmp_path, suffix, share):
    path = tmp_path / f"cut.{suffix}"
    if suffix == "tif":
        tifffile.imwrite(path, RGB, photometric="rgb", rowsperstrip=16, compression="zlib")
    else:
        Image.fromarray(RGB).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SlideError, match="slide cut"):
        whole(path)


def test_an_image_too_large_to_be_decoded_whole_is_refused_before_it_is(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "s.png")
    tifffile.imwrite(tmp_path / "s.tif", RGB, photometric="rgb", rowsperstrip=300, compression="zlib")
    monkeypatch.setattr(image, "MAX_DECODED_PIXELS", 1000)
    for name in ("s.png", "s.tif"):
        with pytest.raises(SlideError, match="420 x 300 px in a format that can only be decoded whole; convert"):
            open_slide(tmp_path / name)


READ_PART = """
import resource, sys
from slidecaf.slides import open_slide
with open_slide(sys.argv[1]) as slide:
    assert slide.width == slide.height == 30000, slide.levels
    for x in range(0, 29000, 4000):
        assert slide.read(x, 15000, 1000, 1000)[0, 0].tolist() == [9, 99, 199]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize("tiled", [True, False])
def test_a_plain_tiff_of_30000_px_a_side_is_not_loaded_whole(tmp_path, tiled):
    """Loaded whole it would take 2.6 GiB."""
    segment = np.broadcast_to(np.array([9, 99, 199], np.uint8), (1000 if tiled else 50, 1000 if tiled else 30000, 3))
    if tiled:  # 16 bit, so that it is not OpenSlide's
        segment = np.broadcast_to(np.array([9, 99, 199], np.uint16) * 257, (512, 512, 3))
    packed = zlib.compress(np.ascontiguousarray(segment).tobytes(), 1)
    layout = {"tile": (512, 512)} if tiled else {"rowsperstrip": 50}
    count = 59 * 59 if tiled else 600
    with tifffile.TiffWriter(tmp_path / "large.tif") as writer:
        writer.write(
            iter([packed] * count),
            shape=(30000, 30000, 3),
            dtype=segment.dtype,
            photometric="rgb",
            compression="zlib",
            **layout,
        )
    done = subprocess.run([sys.executable, "-c", READ_PART, tmp_path / "large.tif"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 700


def test_several_threads_read_one_slide(tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", RGB, photometric="rgb", rowsperstrip=8, compression="zlib")
    failed = []
    with TiffSlide(tmp_path / "s.tif", "s") as slide:

        def read(seed):
            rng = np.random.default_rng(seed)
            for _ in range(50):
                x, y = rng.integers(0, 320), rng.integers(0, 200)
                if not np.array_equal(slide.read(int(x), int(y), 100, 100), RGB[y : y + 100, x : x + 100]):
                    failed.append((x, y))

        threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed


def test_real_slides_open_with_openslide_and_bad_ones_are_named(shared_data):
    with open_slide(shared_data / "slides/cmu-1-small-region.svs") as slide:
        assert (slide.width, slide.height, slide.magnification) == (2220, 2967, 20)
        assert slide.mpp == pytest.approx(0.499)
    with open_slide(shared_data / "slides/tcga-cr-7395-01a-01-ts1.svs") as slide:
        assert slide.mpp is None
        assert len(slide.levels) == 2
    for name in ("broken.svs", "unopenable.tiff"):
        with pytest.raises(SlideError, match=f"slide x: .*{name}"):
            open_slide(shared_data / "slides" / name, name="x")


def test_a_region_that_cannot_be_read_does_not_spoil_the_next(shared_data):
    with open_slide(shared_data / "slides/unreadable.svs", name="u") as slide:
        for _ in range(2):
            with pytest.raises(SlideError, match="slide u: 16 x 16 px at"):
                slide.read(0, 0, 16, 16)
