import io
from contextlib import suppress

import numpy as np
import PIL.Image
import pytest
from PIL import Image, PngImagePlugin

from slidecaf.errors import SlideError
from slidecaf.slides import Limits, open_slide

RNG = np.random.default_rng(0)


def noise(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def whole(path):
    with open_slide(path) as slide:
        return slide.read(0, 0, slide.width, slide.height)


def save(path, image, **options):
    image.save(path, **options)
    return path


def laid_on_white(rgb, alpha):
    share = alpha[..., None] / 255
    return np.rint(rgb * share + 255 * (1 - share))


def test_rgb_png_is_read_by_region(tmp_path):
    rgb = noise(20, 30, 3)
    with open_slide(save(tmp_path / "a.png", Image.fromarray(rgb))) as slide:
        assert (slide.width, slide.height, slide.mpp, slide.magnification) == (30, 20, None, None)
        np.testing.assert_array_equal(slide.read(5, 6, 10, 7), rgb[6:13, 5:15])
        assert slide.read(5, 6, 10, 7).flags.writeable


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_png_is_the_same_in_every_channel(tmp_path, mode):
    image = Image.fromarray(noise(20, 30)).convert(mode)
    expected = np.repeat(np.array(image.convert("L"))[..., None], 3, axis=2)
    np.testing.assert_array_equal(whole(save(tmp_path / "a.png", image)), expected)


def test_grey_png_of_16_bit_is_divided_by_257(tmp_path):
    grey = RNG.integers(0, 2**16, (20, 30)).astype(np.uint16)
    expected = np.repeat(np.rint(grey / 257)[..., None], 3, axis=2)
    np.testing.assert_array_equal(whole(save(tmp_path / "a.png", Image.fromarray(grey))), expected)


def test_transparent_png_is_laid_on_white(tmp_path):
    rgba, grey_alpha = noise(20, 30, 4), noise(20, 30, 2)
    path = save(tmp_path / "a.png", Image.fromarray(rgba))
    np.testing.assert_array_equal(whole(path), laid_on_white(rgba[..., :3], rgba[..., 3]))
    path = save(tmp_path / "b.png", Image.fromarray(grey_alpha))
    np.testing.assert_array_equal(whole(path), laid_on_white(grey_alpha[..., [0, 0, 0]], grey_alpha[..., 1]))


def test_palette_png_shows_its_colours_and_its_transparent_colour_is_white(tmp_path):
    indices, colours = RNG.integers(0, 4, (20, 30)).astype(np.uint8), noise(4, 3)
    image = Image.fromarray(indices)
    image.putpalette(colours.tobytes())
    np.testing.assert_array_equal(whole(save(tmp_path / "a.png", image)), colours[indices])
    seen = colours.copy()
    seen[2] = 255
    np.testing.assert_array_equal(whole(save(tmp_path / "b.png", image, transparency=2)), seen[indices])


def test_a_transparent_colour_of_an_rgb_png_is_white(tmp_path):
    rgb = noise(20, 30, 3)
    rgb[:5] = (10, 20, 30)
    expected = rgb.copy()
    expected[:5] = 255
    path = save(tmp_path / "a.png", Image.fromarray(rgb), transparency=(10, 20, 30))
    np.testing.assert_array_equal(whole(path), expected)


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    cmyk = np.broadcast_to(np.array([200, 100, 0, 51], np.uint8), (32, 32, 4))
    path = save(tmp_path / "a.jpg", Image.fromarray(cmyk, mode="CMYK"), quality=100)
    np.testing.assert_allclose(whole(path), np.broadcast_to([44, 124, 204], (32, 32, 3)), atol=2)


def test_jpeg_agrees_with_pillow_and_is_not_turned_by_exif(tmp_path):
    image = Image.fromarray(noise(20, 30, 3)).resize((60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", image, exif=exif)
    np.testing.assert_array_equal(whole(path), np.array(Image.open(path)))
    assert whole(path).shape == (40, 60, 3)


JPEG_KINDS = {
    "rgb": ("RGB", {}),
    "subsampled": ("RGB", {"subsampling": "4:2:0"}),
    "full colour": ("RGB", {"subsampling": "4:4:4"}),
    "progressive": ("RGB", {"progressive": True}),
    "poor": ("RGB", {"quality": 10}),
    "grey": ("L", {}),
    "cmyk": ("CMYK", {}),
}


@pytest.mark.parametrize("kind", JPEG_KINDS)
@pytest.mark.parametrize("size", [(61, 43), (1, 1), (16, 8)])
def test_jpeg_of_any_kind_has_pillows_pixels(tmp_path, kind, size):
    mode, options = JPEG_KINDS[kind]
    path = save(tmp_path / "a.jpg", Image.fromarray(noise(*size[::-1], 3)).convert(mode), **options)
    if mode != "CMYK":
        np.testing.assert_array_equal(whole(path), np.array(Image.open(path).convert("RGB")))
    assert whole(path).shape == (*size[::-1], 3)


@pytest.mark.parametrize("name", ["chest_xray", "scenes15", "isic2017", "ham10000", "ph2"])
def test_real_jpeg_has_pillows_pixels(shared_data, name):
    paths = sorted((shared_data / "collections" / name / "images").glob("*.jpg"))[:40]
    if not paths:
        pytest.skip(f"real data is absent: there is no {name} among the collections")
    for path in paths:
        with Image.open(path) as image:
            np.testing.assert_array_equal(whole(path), np.array(image.convert("RGB")))


def test_jpeg_that_is_damaged_in_its_middle_is_an_error_and_no_grey(tmp_path):
    smooth = np.random.default_rng(0).integers(0, 256, (25, 25, 3)).astype(np.uint8)
    path = save(tmp_path / "bad.jpg", Image.fromarray(smooth).resize((200, 200)), quality=90)
    content, said = path.read_bytes(), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        start = int(rng.integers(len(content) // 3, len(content) - 600))
        path.write_bytes(content[:start] + content[start + int(rng.integers(1, 400)) :])
        with Image.open(path) as image:
            np.array(image)  # to Pillow it is a picture
        try:
            whole(path)
        except SlideError as error:
            said.append(str(error))
    assert len(said) >= 30  # a place may be left at which the rest still decodes
    assert all(one.startswith("slide bad: ") and "take an undamaged copy" in one for one in said)


def test_png_that_is_shown_image_by_image_is_refused(tmp_path):
    first, *others = (Image.fromarray(noise(20, 30, 3)) for _ in range(3))
    path = save(tmp_path / "a.png", first, save_all=True, append_images=others)
    with pytest.raises(SlideError, match=r"slide a: .*a\.png holds 3 images that are shown in turn; save the one"):
        open_slide(path)


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "jpg"])
def test_pictures_of_other_formats_are_refused_whatever_their_suffix(tmp_path, kind, suffix):
    first, other = (Image.fromarray(noise(20, 30, 3)) for _ in range(2))
    first.save(tmp_path / f"a.{suffix}", format=kind, save_all=True, append_images=[other])
    with pytest.raises(SlideError, match=r"slide a: .* format .*PNG"):
        open_slide(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_orientation_is_told_and_logged_and_turns_nothing(tmp_path, caplog, suffix):
    exif, image = Image.Exif(), Image.fromarray(noise(20, 30, 3))
    for orientation, told in ((1, 1), (3, 3), (6, 6), (9, 1), (0, 1)):
        exif[0x0112] = orientation
        caplog.clear()
        with open_slide(save(tmp_path / f"a.{suffix}", image, exif=exif)) as slide:
            assert (slide.orientation, slide.width, slide.height) == (told, 30, 20)
        assert ("says that it is shown turned" in caplog.text) == (told != 1)


def test_damaged_exif_concerns_no_pixel(tmp_path):
    image = Image.fromarray(noise(20, 30, 3))
    path = save(tmp_path / "a.jpg", image, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with open_slide(path) as slide:
        assert slide.orientation == 1
        np.testing.assert_array_equal(slide.read(0, 0, 30, 20), np.array(Image.open(path)))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, suffix):
    path = save(tmp_path / f"cut.{suffix}", Image.fromarray(noise(100, 100, 3)))
    content = path.read_bytes()
    for share in (0.02, 0.5, 0.95):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(SlideError, match=r"slide cut: .*cut\.(png|jpg): cannot be opened"):
            open_slide(path)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_damaged_file_gives_pixels_or_a_slide_error(tmp_path, suffix):
    path = save(tmp_path / f"bad.{suffix}", Image.fromarray(noise(40, 40, 3)))
    content = np.frombuffer(path.read_bytes(), np.uint8)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        damaged = content.copy()
        damaged[rng.integers(0, len(damaged), 5)] = rng.integers(0, 256, 5)
        path.write_bytes(damaged.tobytes())
        with suppress(SlideError):  # and no other error
            whole(path)


def test_a_file_too_large_to_be_decoded_is_refused_before_it_is(tmp_path):
    path = save(tmp_path / "a.png", Image.fromarray(noise(20, 30, 3)))
    with pytest.raises(SlideError, match=r"30 x 20 px cannot be decoded.*megapixels: 0.000599.* tiled RGB TIFF"):
        open_slide(path, limits=Limits(decoded=599))
    open_slide(path, limits=Limits(decoded=600)).close()


def test_pillows_own_limit_does_not_count_and_stays(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", Image.fromarray(noise(20, 30, 3)))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    assert whole(path).shape == (20, 30, 3)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def test_a_header_that_claims_absurd_sizes_is_an_error(tmp_path):
    content = io.BytesIO()
    PngImagePlugin.putchunk(content, b"IHDR", (2**31 - 1).to_bytes(4) * 2, bytes([8, 2, 0, 0, 0]))
    PngImagePlugin.putchunk(content, b"IDAT", b"")
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content.getvalue())
    with pytest.raises(SlideError, match="too many"):
        open_slide(path)
