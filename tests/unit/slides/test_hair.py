"""Hair that is drawn over a lesion is found and drawn over; where there is none nothing changes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from slidecaf.errors import SlideError
from slidecaf.slides import hair, open_slide
from slidecaf.slides.hair import Shaved, find_hair, remove_hair, runs

SKIN, LESION = np.array([225, 180, 165.0]), np.array([130, 80, 60.0])


def skin(size=(240, 320), seed=0):
    """Skin with a dark lesion of soft edge, and noise."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    inside = 1 / (1 + np.exp((np.hypot((y - height / 2) / 0.8, x - width / 2) - height / 4) / 6))[..., None]
    noise = np.random.default_rng(seed).normal(0, 3, (height, width, 1))
    return np.clip(SKIN * (1 - inside) + LESION * inside + noise, 0, 255).astype(np.uint8)


def with_hair(pixels, lines, width=3, colour=(45, 30, 25)):
    drawn = Image.fromarray(pixels)
    pen = ImageDraw.Draw(drawn)
    for line in lines:
        pen.line(line, fill=colour, width=width)
    changed = np.asarray(drawn)
    soft = np.stack([ndimage.gaussian_filter(changed[..., k], 0.6) for k in range(3)], axis=2)
    near = ndimage.binary_dilation((changed != pixels).any(axis=2), iterations=1)
    return np.where(near[..., None], soft, pixels), (changed != pixels).any(axis=2)


LINES = {
    "across": [(0, 60, 319, 70)],
    "down": [(110, 0, 100, 239)],
    "diagonals": [(30, 20, 230, 220), (250, 10, 80, 200)],
    "many": [(0, 40, 319, 90), (150, 0, 170, 239), (20, 200, 300, 150), (60, 0, 240, 239)],
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("width", [2, 4])
def test_hair_over_a_lesion_is_drawn_over_to_a_few_grey_levels(name, width):
    bare = skin()
    hairy, where = with_hair(bare, LINES[name], width)
    found = find_hair(hairy)
    assert found[where].mean() > 0.9
    cleared = remove_hair(hairy)
    off = abs(cleared.astype(int) - bare)[where]
    assert off.mean() < 5
    assert np.quantile(off, 0.95) < 14
    assert abs(hairy.astype(int) - bare)[where].mean() > 40
    # nothing is touched but hair and its edges
    beyond = ~ndimage.binary_dilation(where, iterations=5)
    assert (cleared == hairy)[beyond].mean() > 0.999


@pytest.mark.parametrize("seed", range(3))
def test_without_hair_the_same_pixels_come_back(seed):
    bare = skin(seed=seed)
    assert not find_hair(bare).any()
    assert np.array_equal(remove_hair(bare), bare)


def test_dots_short_strokes_and_thick_bars_are_no_hair():
    bare = skin()
    marked, _ = with_hair(bare, [(50, 30, 58, 30), (200, 40, 206, 44)])
    marked[180:200, 30:200] = (60, 40, 30)  # a bar of 20 px
    for y, x in ((60, 60), (90, 250), (200, 270)):
        marked[y : y + 4, x : x + 4] = (50, 30, 20)
    assert not find_hair(marked).any()


def test_in_a_large_image_it_is_found_too_and_the_rest_keeps_every_pixel():
    bare = skin((1200, 1600))
    hairy, where = with_hair(bare, [(0, 300, 1599, 500), (700, 0, 900, 1199)], width=12)
    cleared = remove_hair(hairy)
    assert abs(cleared.astype(int) - bare)[where].mean() < 8
    beyond = ~ndimage.binary_dilation(where, iterations=15)
    assert np.array_equal(cleared[beyond], hairy[beyond])


def test_the_same_twice_and_turned():
    hairy, _ = with_hair(skin(), LINES["many"])
    first = remove_hair(hairy)
    assert np.array_equal(first, remove_hair(hairy.copy()))
    turned = remove_hair(np.ascontiguousarray(hairy.transpose(1, 0, 2))).transpose(1, 0, 2)
    assert abs(turned.astype(int) - first).mean() < 1


def test_runs_are_counted_in_four_directions():
    found = np.zeros((5, 6), bool)
    found[2, 1:5] = True
    found[[1, 3], [0, 2]] = True
    across, down, falling, rising = runs(found)[:, 2, 1]
    assert (across, down, falling, rising) == (4, 1, 3, 1)
    assert runs(found)[:, 0, 0].tolist() == [0] * 4


def test_a_slide_without_hair_is_read_like_any_other(tmp_path, monkeypatch):
    hairy, _ = with_hair(skin(), LINES["across"])
    Image.fromarray(hairy).save(tmp_path / "hairy.png")
    with Shaved(open_slide(tmp_path / "hairy.png", name="h", mpp=0.5)) as slide:
        assert (slide.width, slide.height, slide.mpp, slide.mpp_from, len(slide.levels)) == (320, 240, 0.5, "sheet", 1)
        assert np.array_equal(slide.read(10, 50, 40, 30), remove_hair(hairy)[50:80, 10:50])
    monkeypatch.setattr(hair, "MOST", 1000)
    with (
        open_slide(tmp_path / "hairy.png", name="h") as slide,
        pytest.raises(SlideError, match="write hair_removal: f"),
    ):
        Shaved(slide)
