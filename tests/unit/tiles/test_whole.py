"""The whole image as one patch: which level is read, and how much of it at once."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.demo import write_slide
from slidecaf.slides import open_slide
from slidecaf.tiles import whole
from slidecaf.tiles.whole import fitted, read_whole


def smooth(width, height):
    """A picture without detail: means of its px are almost the px themselves."""
    y, x = np.mgrid[:height, :width]
    channels = [127 + 120 * np.sin(x / 211 + y / 97), 127 + 120 * np.cos(x / 173), 255 * y / height]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.fixture
def pyramid(tmp_path):
    """A slide of 2048 x 1536 px with levels of a half and a quarter."""
    path = tmp_path / "slide.tiff"
    write_slide(path, smooth(2048, 1536))
    with open_slide(path) as slide:
        assert len(slide.levels) > 1
        yield slide


def test_an_image_fills_a_square_or_keeps_its_shape_in_it():
    assert fitted(2048, 1536, 64, "stretch") == (64, 64)
    assert fitted(2048, 1536, 64, "pad") == (64, 48)
    assert fitted(10, 1000, 64, "pad") == (1, 64)
    assert fitted(32, 16, 64, "pad") == (64, 32)


def test_the_coarsest_level_that_is_not_too_small_is_read(pyramid):
    for side in (100, 300, 700, 3000):
        found = read_whole(pyramid, side, side)
        fine = [level for level in pyramid.levels if min(level.width, level.height) >= side] or pyramid.levels[:1]
        assert found.shape == (fine[-1].height, fine[-1].width, 3)


def test_a_large_level_is_read_by_blocks_and_averaged(tmp_path, monkeypatch):
    pixels = smooth(3000, 2200)
    Image.fromarray(pixels).save(tmp_path / "flat.tif", tile=(256, 256))
    with open_slide(tmp_path / "flat.tif") as slide:
        assert len(slide.levels) == 1
        once = read_whole(slide, 100, 80)
        assert once.shape == (2200, 3000, 3)
        monkeypatch.setattr(whole, "AT_ONCE", 10**6)
        most, read = [], slide.read
        monkeypatch.setattr(slide, "read", lambda *box: most.append(box[2] * box[3]) or read(*box))
        found = read_whole(slide, 100, 80)
    assert found.shape == (whole.FINER * 80, whole.FINER * 100, 3)
    assert max(most) <= slide.levels[0].block[0] * slide.levels[0].block[1] < pixels.shape[0] * pixels.shape[1]
    assert sum(most) == 3000 * 2200  # each px once
    means = np.asarray(Image.fromarray(pixels).resize((400, 320), Image.Resampling.BOX))
    assert np.abs(found.astype(int) - means).max() <= 2
    small = [np.asarray(Image.fromarray(one).resize((100, 80), Image.Resampling.BILINEAR)) for one in (once, found)]
    assert np.abs(small[0].astype(int) - small[1]).max() <= 2
