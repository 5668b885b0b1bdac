"""PNG and JPEG, which have to be decoded whole."""

import threading

import numpy as np
from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.slides.base import Slide, levels_of
from slidecaf.slides.pixels import on_white, to_8_bit

MAX_DECODED_PIXELS = 2**30
"""The largest image that is decoded whole: 3 GiB of RGB. Tiled formats have no such limit."""

_opening = threading.Lock()


def check_size(name, path, width, height):
    """Refuse an image that would have to be decoded whole and is too large for that.

    Parameters
    ----------
    name : str
        The slide's id.
    path : path-like
    width, height : int

    Raises
    ------
    SlideError
    """
    if width * height > MAX_DECODED_PIXELS:
        raise SlideError(
            f"slide {name}: {path} is {width} x {height} px in a format that can only be decoded whole; convert it to "
            "a tiled TIFF."
        )


class ImageSlide(Slide):
    """A PNG or JPEG image, decoded once; an orientation noted in the file is not applied.

    Parameters
    ----------
    path : path-like
    name : str
        The slide's id.
    mpp : float, optional
        The file is not asked: what such images say is a printer's resolution.

    Raises
    ------
    SlideError
        If the file is no such image, cannot be decoded, or is too large to be.
    """

    def __init__(self, path, name, *, mpp=None):
        try:
            with _opening:  # Pillow's own limit is a global; ours is checked below
                limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
                try:
                    image = Image.open(path, formats=("PNG", "JPEG"))
                finally:
                    Image.MAX_IMAGE_PIXELS = limit
            with image:
                check_size(name, path, *image.size)
                self._pixels = _rgb(image)
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
            raise SlideError(
                f"slide {name}: {path} cannot be read as a slide ({error}); write the path of a slide that OpenSlide "
                "opens, or of a TIFF, PNG or JPEG file."
            ) from error
        super().__init__(path, name, levels_of([self._pixels.shape[1::-1]]), mpp)

    def close(self):
        """Let go of the pixels."""
        self._pixels = None

    def _read(self, x, y, width, height, level):
        return np.ascontiguousarray(self._pixels[y : y + height, x : x + width])


def _rgb(image):
    if image.mode.startswith("I;16"):
        grey = to_8_bit(np.asarray(image).astype(np.uint16))
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError("its samples are of 32 bit, not of 1, 8 or 16")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"))
        return on_white(pixels[..., :3], pixels[..., 3])
    return np.asarray(image.convert("RGB"))
