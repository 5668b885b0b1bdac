"""A box of a slide is a slide: the same px, at every level."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.features.extraction.whole import square
from slidecaf.slides import open_slide
from slidecaf.slides.base import Level, Slide
from slidecaf.slides.part import Part


class Levels(Slide):
    """Two levels that say where their px are."""

    def __init__(self):
        super().__init__("s", "s", [Level(100, 60, 1.0), Level(33, 20, 3.0)], mpp=0.5)

    def _release(self):
        pass

    def _read(self, x, y, width, height, level):
        rows, columns = np.mgrid[y : y + height, x : x + width]
        return np.stack([columns, rows, np.full_like(rows, level)], axis=2).astype(np.uint8)


def test_its_px_are_those_of_the_box():
    with Levels() as slide:
        part = Part(slide, (10, 20, 31, 25))
        assert (part.width, part.height, part.mpp) == (31, 25, 0.5)
        assert part.read(0, 0, 31, 25).tolist() == slide.read(10, 20, 31, 25).tolist()
        coarse = part.levels[1]
        found = part.read(0, 0, coarse.width, coarse.height, 1)
        # px 10 to 41 of 100 are 3.3 to 13.53 of 33, and 20 to 45 of 60 are 6.67 to 15 of 20
        assert (found[0, 0].tolist(), found[-1, -1].tolist()) == ([3, 6, 1], [13, 14, 1])
        part.close()
        assert slide.read(0, 0, 1, 1).tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 101, 5), (0, 0, 5, 0), (100, 0, 1, 1)])
def test_a_box_beyond_the_slide_is_refused(box):
    with Levels() as slide, pytest.raises(ValueError, match="do not lie inside slide s"):
        Part(slide, box)


def test_it_becomes_a_square_as_the_same_picture_does(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "all.png")
    Image.fromarray(pixels[20:70, 30:110]).save(tmp_path / "part.png")
    with open_slide(tmp_path / "all.png") as slide, open_slide(tmp_path / "part.png") as own:
        assert np.array_equal(square(Part(slide, (30, 20, 80, 50)), 32, "pad"), square(own, 32, "pad"))


def test_what_cannot_be_read_is_said_of_the_slide():
    class Broken(Levels):
        def _read(self, *region):
            raise OSError("damaged")

    with Broken() as slide, pytest.raises(SlideError, match="slide s: s: "):
        Part(slide, (0, 0, 5, 5)).read(0, 0, 5, 5)
