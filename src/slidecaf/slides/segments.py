"""Regions of one page of a TIFF file, by the tiles or strips that they meet."""

import os
import threading
from collections import OrderedDict

import numpy as np
import tifffile

from slidecaf.slides.base import MAX_DECODED_PIXELS, whole_tiles
from slidecaf.slides.colour import Colour

BAND_PIXELS = 2**22
"""Pixels of the bands by which a page of strips is best read: 12 MiB of RGB."""


class SegmentCache:
    """The segments last used, up to some bytes, or a single larger one. Safe for threads.

    Parameters
    ----------
    limit : int
        In bytes.
    """

    def __init__(self, limit):
        self._limit, self._bytes, self._segments = limit, 0, OrderedDict()
        self._lock = threading.Lock()
        # One of them is held while a segment is made. Segments share them, so that their number is fixed.
        self._making = [threading.Lock() for _ in range(64)]

    def get(self, key, make):
        """Return a segment; where it is not there it is made, by one thread while others wait for it.

        Parameters
        ----------
        key : hashable
        make : callable
            Without arguments, returns an ndarray.

        Returns
        -------
        ndarray
            Shared: not to be written to.
        """
        segment = self._find(key)
        if segment is None:
            with self._making[hash(key) % len(self._making)]:
                segment = self._find(key)
                if segment is None:
                    segment = make()
                    self._keep(key, segment)
        return segment

    def _find(self, key):
        with self._lock:
            if key in self._segments:
                self._segments.move_to_end(key)
            return self._segments.get(key)

    def _keep(self, key, segment):
        with self._lock:
            self._segments[key] = segment
            self._bytes += segment.nbytes
            while self._bytes > self._limit and len(self._segments) > 1:
                self._bytes -= self._segments.popitem(last=False)[1].nbytes


class PlainPage:
    """A page stored as one piece without compression: of each row, what a region needs is read.

    The file is not mapped into memory, where all that was ever looked at would count as the process's own.

    Parameters
    ----------
    page : tifffile.TiffPage
        One that ``is_final``.
    descriptor : int
        Of the open file.

    Raises
    ------
    ValueError
        If its pixels are of a kind that is not supported, or the file is too short to hold them.
    """

    def __init__(self, page, descriptor):
        self._descriptor, self._colour, self.block = descriptor, Colour.of(page), whole_tiles(1, 1)
        self._offset, self._dtype = page.dataoffsets[0], page.dtype.newbyteorder(page.parent.byteorder)
        self._planes, _, self._rows, self._columns, self._samples = page.shaped
        if os.fstat(descriptor).st_size < self._offset + page.nbytes:
            raise ValueError("the file ends within its pixels")

    def read(self, x, y, width, height):
        """Read a region as RGB: ndarray of uint8, shape (height, width, 3)."""
        planes = np.empty((self._planes, height, width, self._samples), self._dtype)
        for plane, row in np.ndindex(planes.shape[:2]):
            place = ((plane * self._rows + y + row) * self._columns + x) * self._samples
            offset = self._offset + place * self._dtype.itemsize
            _read_at(self._descriptor, planes[plane, row].view(np.uint8), offset)
        return self._colour.rgb(np.concatenate(planes, axis=-1))


class SegmentedPage:
    """A page of tiles or strips, which are decoded one by one.

    Parameters
    ----------
    page : tifffile.TiffPage
    descriptor : int
        Of the open file.
    cache : SegmentCache

    Raises
    ------
    ValueError
        If its pixels or its compression are of a kind that is not supported, if a tile or strip has more than
        `slidecaf.slides.base.MAX_DECODED_PIXELS`, or if the page is damaged.
    """

    def __init__(self, page, descriptor, cache):
        self._page, self._descriptor, self._cache = page, descriptor, cache
        self._colour = Colour.of(page)
        tile = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
        self._width, self._height = tile
        if page.compression not in tifffile.TIFF.DECOMPRESSORS:
            raise ValueError(f"compression {page.compression} is not supported")
        if min(tile) < 1 or self._width * self._height > MAX_DECODED_PIXELS:
            raise ValueError(f"a tile or strip of {self._width} x {self._height} px cannot be decoded at once")
        self._across, self._down = -(-page.imagewidth // self._width), -(-page.imagelength // self._height)
        count = page.shaped[0] * self._across * self._down
        if min(len(page.dataoffsets), len(page.databytecounts)) < count:
            raise ValueError(f"the places of only {len(page.dataoffsets)} of {count} tiles or strips are given")
        self.block = whole_tiles(*tile) if page.is_tiled else _band(*tile)
        page.init_decode()  # tifffile makes the decoder at first use, and not safely for threads

    def read(self, x, y, width, height):
        """Read a region as RGB: ndarray of uint8, shape (height, width, 3)."""
        region = np.empty((height, width, 3), np.uint8)
        for row in range(y // self._height, -(-(y + height) // self._height)):
            for column in range(x // self._width, -(-(x + width) // self._width)):
                left, top = column * self._width, row * self._height
                x0, x1 = max(x, left), min(x + width, left + self._width)
                y0, y1 = max(y, top), min(y + height, top + self._height)
                segment = self._segment(row, column)
                region[y0 - y : y1 - y, x0 - x : x1 - x] = segment[y0 - top : y1 - top, x0 - left : x1 - left]
        return region

    def _segment(self, row, column):
        return self._cache.get((self._page.offset, row, column), lambda: self._decode(row, column))

    def _decode(self, row, column):
        planes = []
        for plane in range(self._page.shaped[0]):
            index = (plane * self._down + row) * self._across + column
            offset, count = self._page.dataoffsets[index], self._page.databytecounts[index]
            if offset == 0 or count == 0:
                # Nothing was scanned here; OpenSlide has such tiles transparent, which is white as well.
                return np.full((self._height, self._width, 3), 255, np.uint8)
            data = bytearray(count)
            _read_at(self._descriptor, data, offset)
            decoded = self._page.decode(data, index, jpegtables=self._page.jpegtables, jpegheader=self._page.jpegheader)
            planes.append(decoded[0][0])
        return self._colour.rgb(np.concatenate(planes, axis=-1) if len(planes) > 1 else planes[0])


def _band(width, rows):
    """Return a block of whole strips, or a part of one where a strip is large."""
    height = max(1, BAND_PIXELS // width)
    return width, height - height % rows or height


def _read_at(descriptor, buffer, offset):
    """Fill a buffer from a place in a file, without a seek, so that threads need no lock."""
    rest = memoryview(buffer).cast("B")
    while rest:  # the system may give less at once than it was asked for
        count = os.preadv(descriptor, [rest], offset)
        if count == 0:
            raise ValueError("the file ends within its pixels")
        rest, offset = rest[count:], offset + count
