"""PNG and JPEG files, decoded once: their formats allow no regions."""

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from slidecaf.slides.base import LIMITS, Level, Slide, slide_errors
from slidecaf.slides.pixels import cmyk_to_rgb, grey_to_rgb, on_white, to_uint8

READERS = {b"\x89PNG\r\n\x1a\n": PngImageFile, b"\xff\xd8\xff": JpegImageFile}
"""First bytes of a file to what reads it."""


class ImageSlide(Slide):
    """A PNG or JPEG file.

    It is held in memory as Pillow decodes it, with up to 4 bytes a pixel. Of PNG with three channels of 16 bit
    Pillow gives the high bytes. The file's resolution is not looked at: it is that of a print.

    Parameters
    ----------
    name : str
    path : path-like
    reader : type
        One of `READERS`.
    mpp : float or None
        The sheet's.
    limits : slidecaf.slides.base.Limits, optional

    Raises
    ------
    SlideError
        If the file is damaged, or has too many pixels.
    """

    def __init__(self, name, path, reader, *, mpp, limits=LIMITS):
        # Called by itself, a reader skips Pillow's own limit, which is smaller and the whole process's.
        with slide_errors(name, path), reader(path) as image:
            width, height = image.size
            limits.check_decoded(width, height)
            with reader(path) as unread:
                # Decoding does not look at a PNG's checksums, and damage could pass for pixels.
                unread.verify()
            image.load()
        super().__init__(name, path, [Level(width, height, 1.0)], limits=limits, mpp=mpp)
        self._image = image

    def _release(self):
        self._image = None

    def _read(self, x, y, width, height, level):
        region = self._image.crop((x, y, x + width, y + height))
        if region.mode == "I;16":
            return grey_to_rgb(to_uint8(np.array(region), 65535))
        if region.mode == "CMYK":
            return cmyk_to_rgb(np.array(region))
        if region.has_transparency_data:
            rgba = np.array(region.convert("RGBA"))
            return on_white(rgba[..., :3], rgba[..., 3])
        return np.array(region.convert("RGB"))
