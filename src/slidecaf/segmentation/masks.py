"""Masks: which pixels of a slide are necrosis or hemorrhage, by strips (paper, section 3.3).

A mask is a PNG or TIFF file of the slide's size. What counts are the numbers that it stores, not the colours that they
stand for: palette indices, and zeros even where zero is white.
"""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
from PIL.PngImagePlugin import PngImageFile

from slidecaf.errors import SlidecafError
from slidecaf.files.faults import is_file, machine_fault, reason_of, unread
from slidecaf.slides import TIFF
from slidecaf.slides.base import LIMITS
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.directories import check_directories
from slidecaf.slides.pages import open_page
from slidecaf.slides.segments import sides

PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of PNG."""

PNG_SCALE = {"L;2": 85, "L;4": 17}
"""Raw modes of Pillow to what it multiplies the stored values by."""

TIFF_CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 6: 3}
"""PhotometricInterpretation to samples a pixel without alpha: grey, RGB, palette, mask, YCbCr (decoded as RGB)."""

PIECE = 2**22
"""Pixels that are compared at once."""

NAMED_VALUES = 5
"""How many values of a part of a mask are looked for, to be named in an error."""


def mask_strips(path, *, slide, row, column, width, height, mask_value=None, rows=256, limits=LIMITS):
    """Read a mask from top to bottom.

    Of TIFF, a row of tiles or a strip is held at once, or, without compression, a few rows. PNG allows no parts; it is
    decoded whole, at its own depth. Of several pages the first of the slide's size is taken. An opaque alpha channel
    is passed over; colours that PNG declares transparent are values like others.

    Parameters
    ----------
    path : path-like
        PNG or TIFF, with whole numbers: grey, palette or RGB.
    slide : str
        The slide's id, for errors, as are `row` and `column`.
    row : int
        The sheet's row.
    column : str
        The sheet's column: mask or hemorrhage.
    width, height : int
        Of the slide at level 0, which the mask must have too.
    mask_value : int, optional
        The grey value or palette index that is foreground; all others are background. Without it, any value but 0 is
        foreground (of RGB: any channel but 0), and there may be two values, one of them 0, or a single one.
    rows : int, optional
        Of each strip but the last, whatever the file's layout, so that strips of two masks fit together.
    limits : slidecaf.slides.Limits, optional
        How many pixels may be decoded at once.

    Yields
    ------
    ndarray of bool, shape (h, width)
        True for foreground.

    Raises
    ------
    SlidecafError
        If there is no such file, if it is no PNG or TIFF, or damaged, or of another size, or of pixels that are not
        supported, if an alpha channel is not opaque, or if the values are not two, one of them 0. Values are looked at
        as strips are taken: only who takes all of them knows that the mask is good.
    """
    path = Path(path)
    with _named(f"row {row}, column {column}: the mask of slide {slide!r}, {path},"):
        if not is_file(path):
            raise _Problem(f"is no file; correct the sheet's column {column}")
        with open(path, "rb") as file:
            start = file.read(8)
        if not start.startswith((PNG, *TIFF)):
            raise _Problem(f"{'is neither PNG nor TIFF' if start else 'is empty'}; save it as PNG or TIFF")
        bands = _png_bands if start.startswith(PNG) else _tiff_bands
        yield from _strips(bands(path, (width, height), _Foreground(mask_value), limits), rows)


class _Problem(Exception):
    """What is wrong with a mask, and what to do: a sentence without its subject and its full stop."""


@contextmanager
def _named(mask):
    """Put the mask before a problem; turn whatever a library raises over the file into an error."""
    try:
        yield
    except _Problem as problem:
        raise SlidecafError(f"{mask} {problem}.") from None
    except SlidecafError:
        raise
    # A damaged file makes libraries raise anything: their own errors, struct.error, KeyError.
    except Exception as error:
        if machine_fault(error):
            raise unread(mask, error) from error
        raise SlidecafError(
            f"{mask} cannot be read ({reason_of(error)}); take an undamaged copy, or save it again as PNG or TIFF."
        ) from error


class _Foreground:
    """Tells foreground from background, and watches over the values of a whole mask.

    Parameters
    ----------
    mask_value : int or None
    """

    def __init__(self, mask_value):
        self._mask_value, self._seen = mask_value, set()

    def of(self, samples, *, alpha, opaque):
        """Return which pixels are foreground.

        Parameters
        ----------
        samples : ndarray of whole numbers, shape (h, w, channels)
        alpha : bool
            Whether the last channel is alpha.
        opaque : int
            The alpha of an opaque pixel.

        Returns
        -------
        ndarray of bool, shape (h, w)
        """
        foreground = np.empty(samples.shape[:2], bool)
        step = max(1, PIECE // samples.shape[1])
        for top in range(0, len(samples), step):
            piece = samples[top : top + step]
            if alpha and (piece[..., -1] != opaque).any():
                raise _Problem("has an alpha channel that is not opaque everywhere; save it without alpha")
            foreground[top : top + step] = self._of_values(piece[..., :-1] if alpha else piece)
        return foreground

    def _of_values(self, samples):
        channels = samples.shape[2]
        if self._mask_value is not None:
            if channels > 1:
                raise _Problem(
                    f"has {channels} channels of colour, and segmentation.mask_value is one number; save it as grey or "
                    "with a palette"
                )
            return samples[..., 0] == self._mask_value
        zero = (0,) * channels
        self._seen.update(_some_values(samples))
        several = len(self._seen) > 2
        if several or (len(self._seen) == 2 and zero not in self._seen):
            named = ", ".join(str(value if channels > 1 else value[0]) for value in sorted(self._seen))
            what = f"more than two values, among them {named}" if several else f"two values and none is 0: {named}"
            way = "set segmentation.mask_value to the one that is meant, or " if channels == 1 else ""
            raise _Problem(f"holds {what}; {way}save it with two values, one of them 0, without lossy compression")
        return ~_equal(samples, zero)


def _some_values(samples):
    """Return all values, tuples of a number a channel, or the first few where there are more."""
    values, rest = [], np.ones(samples.shape[:2], bool)
    while len(values) < NAMED_VALUES and rest.any():
        place = np.unravel_index(rest.argmax(), rest.shape)
        values.append(tuple(int(value) for value in samples[place]))
        rest &= ~_equal(samples, values[-1])
    return values


def _equal(samples, value):
    return np.logical_and.reduce([samples[..., channel] == number for channel, number in enumerate(value)])


def _strips(bands, rows):
    """Cut bands of any heights into strips of `rows` rows, and a last one of the rest."""
    held, count = [], 0
    for band in bands:
        rest = band
        while len(rest):
            taken, rest = rest[: rows - count], rest[rows - count :]
            held.append(taken)
            count += len(taken)
            if count == rows:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)


def _check_size(size, expected):
    if size != expected:
        (width, height), (slide_width, slide_height) = size, expected
        raise _Problem(
            f"has {width} x {height} px, and the slide {slide_width} x {slide_height}; save it at the slide's full size"
        )


def _png_bands(path, size, foreground, limits):
    """Read a PNG file as bands of bool, shape (h, width)."""
    # Called by itself, the reader skips Pillow's own limit, which is smaller and the whole process's.
    with PngImageFile(path) as image:
        _check_size(image.size, size)
        width, height = size
        if width * height > limits.decoded:
            raise _Problem(
                f"has {width} x {height} px, too many for PNG, which is decoded whole (the config's "
                f"max_decoded_megapixels is {limits.decoded / 10**6:g}); save it as tiled TIFF"
            )
        raw_mode, alpha = image.tile[0].args, "A" in image.getbands()
        if raw_mode.endswith(";16B") and raw_mode != "I;16B":
            raise _Problem("has several channels of 16 bit, of which PNG's reader keeps 8; save it as grey")
        # Decoding does not look at checksums, and damage could pass for a mask.
        with PngImageFile(path) as unread:
            unread.verify()
        image.load()
        step = max(1, PIECE // width)
        for top in range(0, height, step):
            band = np.asarray(image.crop((0, top, width, min(height, top + step))))
            samples = band.reshape(len(band), width, -1) // PNG_SCALE.get(raw_mode, 1)
            yield foreground.of(samples, alpha=alpha, opaque=255)


def _tiff_bands(path, size, foreground, limits):
    """Read a TIFF file as bands of bool, shape (h, width)."""
    check_directories(path)
    with tifffile.TiffFile(path) as tiff:
        right = (page for page in tiff.pages if (page.imagewidth, page.imagelength) == size)
        page = next(right, tiff.pages.first)
        _check_size((page.imagewidth, page.imagelength), size)
        alpha, opaque = _has_alpha(page), 2**page.bitspersample - 1
        _check_pieces(page, limits)
        samples = open_page(page, tiff.filehandle.fileno(), SegmentCache(0), limits=limits)
        (width, height), (across, down) = size, samples.band
        for top in range(0, height, down):
            parts = (
                samples.read(left, top, min(across, width - left), min(down, height - top))
                for left in range(0, width, across)
            )
            yield np.concatenate([foreground.of(part, alpha=alpha, opaque=opaque) for part in parts], axis=1)


def _has_alpha(page):
    """Tell whether a page has a channel beyond its colours, and refuse what is no mask."""
    photometric, channels, bits = int(page.photometric), page.samplesperpixel, page.bitspersample
    colours = TIFF_CHANNELS.get(photometric, 0)
    whole_numbers = page.dtype is not None and page.dtype.kind in "bui" and isinstance(bits, int)
    if not whole_numbers or page.imagedepth > 1 or channels - colours not in (0, 1) or not colours:
        raise _Problem(
            f"holds {channels} channel{'s' if channels > 1 else ''} of {page.dtype} with photometric interpretation "
            f"{photometric}; save it as grey of 8 bit"
        )
    return channels > colours


def _check_pieces(page, limits):
    """Refuse tiles or strips that are too large to be decoded at once."""
    width, height = sides(page)
    if not page.is_final and width * height > limits.decoded:
        raise _Problem(
            f"is stored in pieces of {width} x {height} px, too large to be decoded (the config's "
            f"max_decoded_megapixels is {limits.decoded / 10**6:g}); save it as tiled TIFF"
        )
