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
