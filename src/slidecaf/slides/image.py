"""PNG and JPEG files, decoded once: their formats allow no regions."""

from contextlib import suppress

import numpy as np
import simplejpeg
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from slidecaf.errors import SlideError
from slidecaf.slides.base import LIMITS, Level, Slide, slide_errors
from slidecaf.slides.jpeg import read_frame
from slidecaf.slides.pixels import cmyk_to_rgb, grey_to_rgb, on_white, to_uint8

READERS = {b"\x89PNG\r\n\x1a\n": PngImageFile, b"\xff\xd8\xff": JpegImageFile}
"""First bytes of a file to what reads it."""


class ImageSlide(Slide):
    """A PNG or JPEG file.

    It is held in memory as Pillow decodes it, with up to 4 bytes a pixel. Of PNG with three channels of 16 bit
    Pillow gives the high bytes. JPEG with 8 bit a sample and one channel or three is decoded by libjpeg-turbo itself:
    the same pixels, but what Pillow fills with grey is an error. The file's resolution is not looked at: it is that of
    a print.

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
        If the file is damaged, has too many pixels, or holds several images in turn (animated PNG).
    """

    def __init__(self, name, path, reader, *, mpp, limits=LIMITS):
        # Called by itself, a reader skips Pillow's own limit, which is smaller and the whole process's.
        with slide_errors(name, path), reader(path) as image:
            width, height = image.size
            limits.check_decoded(width, height)
            if reader is PngImageFile and image.is_animated:
                raise SlideError(
                    f"slide {name}: {path} holds {image.n_frames} images that are shown in turn; save the one that is "
                    "meant by itself."
                )
            with reader(path) as unread:
                # Decoding does not look at a PNG's checksums, and damage could pass for pixels.
                unread.verify()
            pixels = _decode_strictly(path) if reader is JpegImageFile else None
            if pixels is None:
                image.load()
            orientation = _orientation(image)
        super().__init__(name, path, [Level(width, height, 1.0)], limits=limits, mpp=mpp, orientation=orientation)
        self._image = image if pixels is None else pixels

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


def _decode_strictly(path):
    """Decode a JPEG file of a usual kind, and refuse damage that Pillow fills with grey; None of other kinds."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        frame = read_frame(data)
    except ValueError:  # a header that Pillow may understand
        return None
    if not frame.is_usual:
        return None
    if frame.channels == 1:
        return Image.fromarray(simplejpeg.decode_jpeg(data, "GRAY", strict=True)[..., 0])
    return Image.fromarray(simplejpeg.decode_jpeg(data, "RGB", strict=True))


def _orientation(image):
    """Return how the file says that it is to be shown, 1 to 8; 1 where it says nothing that can be read."""
    said = 1
    with suppress(Exception):  # damaged EXIF makes Pillow raise anything, and concerns no pixel
        said = image.getexif().get(ExifTags.Base.Orientation, 1)
    return said if said in range(1, 9) else 1
