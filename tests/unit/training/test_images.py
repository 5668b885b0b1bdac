"""Images are read once, as squares, and those that cannot be read are named."""

import numpy as np
import pytest
import torch
from PIL import Image

from slidecaf.errors import SlidecafError
from slidecaf.slides.hair import remove_hair
from slidecaf.training.images import Images, padding


@pytest.fixture
def sources(tmp_path):
    for name, colour in (("red", (250, 0, 0)), ("blue", (0, 0, 250))):
        Image.fromarray(np.full((60, 100, 3), colour, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    return {name: {"path": tmp_path / f"{name}.png", "mpp": None, "scene": ""} for name in ("red", "bad", "blue")}


def test_they_are_squares_of_a_quarter_more_than_the_network_sees(sources):
    found = Images(["red", "blue"], sources, input_size=32, threads=2)
    assert found.squares.shape == (2, 3, 40, 40)
    assert found.squares[0].flatten(1).float().mean(1).tolist() == [250, 0, 0]
    assert found.status == {"red": "ok", "blue": "ok"}


def test_an_image_that_keeps_its_shape_is_filled_up(sources):
    found = Images(["red"], sources, input_size=32, fit="pad")
    assert found.squares[0, :, 0, 0].tolist() == padding(False)
    assert found.squares[0, :, 20, 20].tolist() == [250, 0, 0]


def test_grey_images_have_one_channel(sources):
    found = Images(["red", "blue"], sources, input_size=32, grey=True)
    assert found.squares.shape == (2, 1, 40, 40)
    wanted = [0.299 * 250, 0.114 * 250]  # ITU-R BT.601
    assert found.squares.flatten(1).float().mean(1).tolist() == pytest.approx(wanted, abs=1)
    assert padding(True) == pytest.approx([0.299 * 124 + 0.587 * 116 + 0.114 * 104], abs=1)


def test_an_image_that_cannot_be_read_is_named_or_left_out(sources, caplog):
    with pytest.raises(SlidecafError, match=r"1 of 3 images cannot be read \(bad\)"):
        Images(list(sources), sources, input_size=32)
    assert "slide bad: " in caplog.text
    found = Images(list(sources), sources, input_size=32, on_bad_slide="exclude")
    assert found.slides == ["red", "blue"]
    assert found.status["bad"] == "unreadable"
    assert torch.equal(found.squares, Images(["red", "blue"], sources, input_size=32).squares)


def test_hair_is_drawn_over_before_an_image_becomes_a_square(tmp_path):
    pixels = np.full((80, 120, 3), (220, 170, 150), np.uint8)
    pixels[:, 60:63] = 20
    Image.fromarray(pixels).save(tmp_path / "hairy.png")
    Image.fromarray(remove_hair(pixels)).save(tmp_path / "shaved.png")
    sources = {name: {"path": tmp_path / f"{name}.png", "mpp": None, "scene": ""} for name in ("hairy", "shaved")}
    found = Images(["hairy"], sources, input_size=32, hair_removal=True).squares
    assert torch.equal(found, Images(["shaved"], sources, input_size=32).squares)
    assert not torch.equal(found, Images(["hairy"], sources, input_size=32).squares)
    # a part of an image is cut from what has no hair any more
    box = {"hairy": (40, 20, 50, 40), "shaved": (40, 20, 50, 40)}
    part = Images(["hairy"], sources, input_size=32, hair_removal=True, boxes=box).squares
    assert torch.equal(part, Images(["shaved"], sources, input_size=32, boxes=box).squares)
