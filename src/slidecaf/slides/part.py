"""A box of a slide, read as if it were a slide of its own."""

from math import ceil, floor

from slidecaf.slides.base import Level, Slide


class Part(Slide):
    """A box of an open slide, at each of its levels. The slide stays open when its part is closed.

    Parameters
    ----------
    slide : Slide
    box : (int, int, int, int)
        x, y, width and height in px of level 0, within the slide.

    Raises
    ------
    ValueError
        If the box does not lie inside the slide.
    """

    def __init__(self, slide: Slide, box: tuple[int, int, int, int]):
        x, y, width, height = box
        if not (0 <= x < x + width <= slide.width and 0 <= y < y + height <= slide.height):
            raise ValueError(f"{width} x {height} px at ({x}, {y}) do not lie inside slide {slide.name}")
        self._whole, self._corners, levels = slide, [], []
        for level in slide.levels:
            across, down = level.width / slide.width, level.height / slide.height
            left, right = floor(x * across), min(ceil((x + width) * across), level.width)
            top, bottom = floor(y * down), min(ceil((y + height) * down), level.height)
            self._corners.append((left, top))
            levels.append(Level(right - left, bottom - top, level.downsample, level.block))
        super().__init__(slide.name, slide.path, levels, mpp=slide.mpp)

    def _release(self):
        pass

    def _read(self, x, y, width, height, level):
        left, top = self._corners[level]
        return self._whole.read(left + x, top + y, width, height, level)
