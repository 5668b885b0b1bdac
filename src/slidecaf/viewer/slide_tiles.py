"""Tiles of slides."""

import numpy as np
from PIL import Image

from slidecaf.classification.neurons import read_patch
from slidecaf.slides.image import ImageSlide
from slidecaf.viewer.zoom import PIECE, Pyramid


class SlidePyramid(Pyramid):
    """A slide on the grid.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    """

    def __init__(self, slide):
        super().__init__(slide.width, slide.height)
        self._slide = slide

    @property
    def name(self) -> str:
        """The slide's id."""
        return self._slide.name

    @property
    def mpp(self) -> float | None:
        """Micrometres a pixel of level 0, or None."""
        return self._slide.mpp

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """The slide's bounds: x, y, width and height."""
        return self._slide.bounds

    @property
    def decoded_whole(self) -> bool:
        """Whether all pixels are held in memory, since the file's format allows no less."""
        return isinstance(self._slide, ImageSlide)

    def close(self) -> None:
        """Let go of the slide's file."""
        self._slide.close()

    def patch(self, x, y, size, *, side):
        """Read a square of ``size`` px of level 0 as `slidecaf.classification.neurons.read_patch` does."""
        return read_patch(self._slide, x, y, size, side=side)

    def _piece(self, reduction):
        return int(PIECE * self._level(reduction).downsample)

    def _level(self, reduction):
        return self._slide.levels[self._slide.best_level(1 << reduction)]

    def _means(self, left, top, width, height, reduction):
        """Return R, G, B as ndarray of uint8, shape (height, width, 3)."""
        slide, level = self._slide, self._level(reduction)
        # the box in px of the file's level, whose sides need not be those of level 0 divided by a whole number
        across, down = level.width / slide.width, level.height / slide.height
        x0, x1 = (place * across * (1 << reduction) for place in (left, left + width))
        y0, y1 = (place * down * (1 << reduction) for place in (top, top + height))
        first_x, first_y = int(x0), int(y0)
        last_x, last_y = (min(-int(-end // 1), most) for end, most in ((x1, level.width), (y1, level.height)))
        first_x, first_y = min(first_x, level.width - 1), min(first_y, level.height - 1)
        read = slide.read(
            first_x,
            first_y,
            max(last_x - first_x, 1),
            max(last_y - first_y, 1),
            slide.levels.index(level),
        )
        # the last pixels of the grid may reach beyond the slide, where its border goes on
        beyond_x, beyond_y = (
            max(0, -int(-(end - first) // 1) - length)
            for end, first, length in ((x1, first_x, read.shape[1]), (y1, first_y, read.shape[0]))
        )
        if beyond_x or beyond_y:
            read = np.pad(read, ((0, beyond_y), (0, beyond_x), (0, 0)), mode="edge")
        box = (x0 - first_x, y0 - first_y, x1 - first_x, y1 - first_y)
        if box == (0, 0, width, height):
            return read
        return np.asarray(Image.fromarray(read).resize((width, height), Image.Resampling.BOX, box))

    def _coarser(self, means, further):
        if not further:
            return means
        side = 1 << further
        height, width = (-(-length // side) * side for length in means.shape[:2])
        rest = ((0, height - means.shape[0]), (0, width - means.shape[1]), (0, 0))
        return np.asarray(Image.fromarray(np.pad(means, rest, mode="edge")).reduce(side))
