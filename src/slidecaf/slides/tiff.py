"""TIFF files that OpenSlide does not open, read by tile or strip."""

import struct
import threading
from collections import OrderedDict

import numpy as np
import tifffile

from slidecaf.errors import SlideError
from slidecaf.slides.base import Slide, levels_of, plausible_mpp
from slidecaf.slides.image import check_size
from slidecaf.slides.pixels import cmyk_to_rgb, on_white, to_8_bit

CACHE_BYTES = 128 * 2**20
"""Decoded tiles or strips that are kept, so that neighbouring regions decode nothing twice."""

_DAMAGE = (OSError, ValueError, RuntimeError, KeyError, IndexError, TypeError, struct.error, ZeroDivisionError)
_GREY_INVERTED, _GREY, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_MICROMETRES = {2: 25400.0, 3: 10000.0}  # an inch, a centimetre


class TiffSlide(Slide):
    """A TIFF file: tiled or striped, classic or BigTIFF, 1, 8 or 16 bit, grey, RGB, palette or CMYK, with alpha.

    Memory is bounded by the largest tile or strip. A compressed file of a single strip is decoded whole.

    Parameters
    ----------
    path : path-like
    name : str
        The slide's id.
    mpp : float, optional
        Wins over the file's.

    Raises
    ------
    SlideError
        If the file is damaged, or its pixels are of a kind that is not supported.
    """

    def __init__(self, path, name, *, mpp=None):
        self._lock, self._cache, self._cached = threading.Lock(), OrderedDict(), 0
        file = None
        try:
            file = self._file = tifffile.TiffFile(path)
            self._pages = [level.keyframe for level in file.series[0].levels]
            for page in self._pages:
                _check(page)
                # an uncompressed strip may be read in part, all else is decoded segment by segment
                rows, columns = (page.imagelength, page.imagewidth) if page.is_memmappable else _segment_shape(page)
                if not page.is_memmappable:
                    check_size(name, path, columns, rows)
            levels = levels_of([(page.imagewidth, page.imagelength) for page in self._pages])
            mpp = mpp or _mpp(self._pages[0])
        except _DAMAGE as error:
            if file is not None:
                file.close()
            raise SlideError(
                f"slide {name}: {path} cannot be opened ({error}); take an undamaged copy, or convert it to a "
                "TIFF of 8 or 16 bit."
            ) from error
        super().__init__(path, name, levels, mpp)

    def close(self):
        """Close the file."""
        self._file.close()
        self._cache.clear()

    def _read(self, x, y, width, height, level):
        page = self._pages[level]
        try:
            if page.is_memmappable:
                return self._mapped(page, x, y, width, height)
            region = np.empty((height, width, 3), np.uint8)
            rows, columns = _segment_shape(page)
            for row in range(y // rows, (y + height - 1) // rows + 1):
                for column in range(x // columns, (x + width - 1) // columns + 1):
                    segment = self._segment(level, row, column)
                    top, left = max(y, row * rows), max(x, column * columns)
                    bottom = min(y + height, row * rows + segment.shape[0])
                    right = min(x + width, column * columns + segment.shape[1])
                    region[top - y : bottom - y, left - x : right - x] = segment[
                        top - row * rows : bottom - row * rows, left - column * columns : right - column * columns
                    ]
            return region
        except _DAMAGE as error:
            raise SlideError(
                f"slide {self.name}: {width} x {height} px at ({x}, {y}) of level {level} of {self.path} cannot be "
                f"read ({error})."
            ) from error

    def _mapped(self, page, x, y, width, height):
        pixels = np.memmap(
            self._file.filehandle.path,
            page.dtype.newbyteorder(page.parent.byteorder),
            "r",
            page.dataoffsets[0],
            _planes_shape(page),
        )
        part = np.array(pixels[:, y : y + height, x : x + width]).astype(page.dtype)
        planes = [plane for part_plane in part for plane in np.moveaxis(part_plane, -1, 0)]
        return _rgb(np.stack(planes, -1), page)

    def _segment(self, level, row, column):
        """Return a decoded tile or strip as RGB, from the cache where it is there."""
        key = level, row, column
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        page = self._pages[level]
        rows, columns = _segment_shape(page)
        across = -(-page.imagewidth // columns)
        plane = across * -(-page.imagelength // rows)
        separate = page.planarconfig == 2 and page.samplesperpixel > 1
        samples = [
            self._decode(page, p * plane + row * across + column)
            for p in range(page.samplesperpixel if separate else 1)
        ]
        height = min(rows, page.imagelength - row * rows)
        width = min(columns, page.imagewidth - column * columns)
        segment = _rgb(np.concatenate(samples, -1)[:height, :width], page)
        with self._lock:
            self._cache[key] = segment
            self._cached += segment.nbytes
            while self._cached > CACHE_BYTES and len(self._cache) > 1:
                self._cached -= self._cache.popitem(last=False)[1].nbytes
        return segment

    def _decode(self, page, index):
        """Return the samples of one segment, (rows, columns, samples)."""
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if count == 0:
            raise ValueError(f"segment {index} is empty")
        with self._lock:
            self._file.filehandle.seek(offset)
            data = self._file.filehandle.read(count)
        if len(data) < count:
            raise ValueError("the file ends before its pixels do")
        samples = page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0]
        return samples[0]


def _segment_shape(page):
    """Return rows and columns of a tile or strip."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _planes_shape(page):
    """Return the shape of uncompressed pixels as (planes, rows, columns, samples of a plane)."""
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        return page.samplesperpixel, page.imagelength, page.imagewidth, 1
    return 1, page.imagelength, page.imagewidth, page.samplesperpixel


def _check(page):
    """Raise ValueError where pixels are of a kind that `_rgb` does not know."""
    color = {_GREY_INVERTED: 1, _GREY: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}.get(int(page.photometric))
    if color is None:
        raise ValueError(f"its colours are {page.photometric.name}, not grey, RGB, palette or CMYK")
    if not color <= page.samplesperpixel <= color + 1 or page.imagedepth != 1:
        raise ValueError(
            f"it has {page.samplesperpixel} channels, which is neither grey, RGB nor CMYK with or without alpha"
        )
    if page.dtype is None or page.dtype not in (bool, np.uint8, np.uint16):
        raise ValueError(f"its samples are {page.dtype}, not of 1, 8 or 16 bit")
    if int(page.photometric) == _YCBCR and int(page.compression) not in (6, 7, 33003, 33005, 34712):
        raise ValueError("its colours are YCbCr without JPEG")


def _rgb(samples, page):
    """Turn samples (rows, columns, S) into RGB."""
    kind = int(page.photometric)
    if kind == _PALETTE:
        colors = ((page.colormap.T.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return colors[samples[..., 0]]
    samples = to_8_bit(samples)
    if kind == _GREY_INVERTED:
        samples = np.concatenate([255 - samples[..., :1], samples[..., 1:]], -1)
    color = {_CMYK: 4, _RGB: 3, _YCBCR: 3}.get(kind, 1)
    pixels = (
        cmyk_to_rgb(samples[..., :4])
        if kind == _CMYK
        else np.broadcast_to(samples[..., :color], (*samples.shape[:2], 3))
    )
    extra = page.extrasamples[0] if page.extrasamples else 0
    if samples.shape[-1] > color and int(extra) in (1, 2):
        return on_white(pixels, samples[..., color], premultiplied=int(extra) == 1)
    return np.ascontiguousarray(pixels)


def _mpp(page):
    """Return micrometres a pixel from the resolution tags, where they have a unit and are plausible."""
    try:
        unit = _MICROMETRES[int(page.tags["ResolutionUnit"].value)]
        across, down = (np.divide(*page.tags[tag].value) for tag in ("XResolution", "YResolution"))
    except (KeyError, TypeError, ValueError):
        return None
    return plausible_mpp(unit / across, unit / down) if across > 0 and down > 0 else None


def openslide_reads_rightly(path):
    """Tell whether a generic tiled TIFF is of a kind that OpenSlide shows as it is: RGB of 8 bit without alpha.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool
        Also true where the tags cannot be read: OpenSlide then says what is wrong.
    """
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            return page.dtype == np.uint8 and page.samplesperpixel == 3 and int(page.photometric) in (_RGB, _YCBCR)
    except (*_DAMAGE, tifffile.TiffFileError):
        return True
