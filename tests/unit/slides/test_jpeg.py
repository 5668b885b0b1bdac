"""JPEG tiles: the pixels that libjpeg gives, and damage that is refused."""

import io

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from slidecaf.slides.jpeg import decode_jpeg, read_frame


def picture(height=61, width=83):
    """A part of a picture with edges and noise, so that subsampling and rounding show."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 40, (height, width, 3))
    waves = np.stack([100 + 60 * np.sin(x / 5), 90 + 2 * (y % 40), 160 - x], axis=-1)
    return np.clip(waves + noise, 0, 255).astype(np.uint8)


def split(data):
    """Return a JPEG's tables as a TIFF page keeps them, and the image without them."""
    place, tables, rest = 2, b"", b"\xff\xd8"
    while data[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if data[place + 1] in (0xDB, 0xC4):
            tables += data[place:end]
        else:
            rest += data[place:end]
        place = end
    return b"\xff\xd8" + tables + b"\xff\xd9", rest + data[place:]


@pytest.mark.parametrize("with_tables", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_pixels_are_those_of_pillow(subsampling, progressive, with_tables):
    file = io.BytesIO()
    how = {"quality": 80, "subsampling": subsampling, "progressive": progressive and not with_tables}
    Image.fromarray(picture()).save(file, "JPEG", **how)
    expected = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    tables, data = split(file.getvalue()) if with_tables else (None, file.getvalue())
    frame = read_frame(data)
    assert (frame.width, frame.height, frame.channels, frame.is_usual) == (83, 61, 3, True)
    np.testing.assert_array_equal(decode_jpeg(data, frame, tables=tables, ycbcr=True), expected)


@pytest.mark.parametrize("marker", [b"", b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"])
def test_the_pages_tags_say_what_channels_are_and_not_the_image(marker):
    stored = imagecodecs.jpeg8_encode(picture(), level=95, colorspace="RGB", outcolorspace="RGB")
    data = stored[:2] + marker + stored[2:]
    frame = read_frame(data)
    found = decode_jpeg(data, frame, ycbcr=False)
    assert np.abs(found.astype(int) - picture()).max() < 25
    other = decode_jpeg(data, frame, ycbcr=True)
    np.testing.assert_array_equal(other, imagecodecs.jpeg8_decode(stored, colorspace="YCBCR", outcolorspace="RGB"))


def test_grey_is_one_channel():
    file = io.BytesIO()
    Image.fromarray(picture()[..., 0]).save(file, "JPEG")
    data = file.getvalue()
    expected = np.asarray(Image.open(file))[..., None]
    np.testing.assert_array_equal(decode_jpeg(data, read_frame(data), ycbcr=False), expected)


@given(st.floats(0.1, 0.999), st.sampled_from(["cut", "zeros", "end"]))
def test_an_image_that_stops_too_early_is_refused(share, how):
    """libjpeg makes the rest grey and only warns."""
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "JPEG", quality=90)
    data = file.getvalue()
    start = data.index(b"\xff\xda") + 14
    place = start + int(share * (len(data) - 4 - start))
    rest = {"cut": b"", "zeros": bytes(len(data) - place), "end": b"\xff\xd9"}[how]
    damaged = data[:place] + rest
    assert imagecodecs.jpeg8_decode(damaged).shape == picture().shape  # it is silent
    with pytest.raises(ValueError, match=r"JPEG|premature|end"):
        decode_jpeg(damaged, read_frame(damaged), ycbcr=True)


@given(st.binary(max_size=40))
def test_what_is_no_jpeg_is_a_value_error(data):
    for content in (data, b"\xff\xd8" + data, b"\xff\xd8\xff\xc0\x00\x11\x08" + data):
        try:
            frame = read_frame(content)
        except ValueError:
            continue
        with pytest.raises(ValueError, match=r"."):
            decode_jpeg(content, frame, ycbcr=True)


def test_kinds_that_are_not_usual_are_told():
    assert not read_frame(imagecodecs.jpeg8_encode(picture().astype(np.uint16), bitspersample=12)).is_usual
    cmyk = np.dstack([picture(), picture()[..., :1]])
    assert not read_frame(imagecodecs.jpeg8_encode(cmyk, colorspace="CMYK", outcolorspace="CMYK")).is_usual
