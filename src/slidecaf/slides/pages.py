"""Regions of one page of a TIFF file, of any kind of samples: the one reader behind slides, masks and the viewer.

What a region does not need is not read: of a page without compression only its rows, of any other only the tiles or
strips that it meets, each decoded once while a cache holds it. Threads may share a page.
"""

import os
from functools import partial

import numpy as np
import tifffile

from slidecaf.slides.base import whole_tiles
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.segments import PLAIN_JPEG, check_packed, decode, sides

BAND_PIXELS = 2**22
"""Pixels of the bands by which a page of strips is best read: 12 MiB of RGB."""

ALIKE = 4096
"""Bytes of a JPEG tile below which there may be others with the same: tiles that a scanner filled with one colour."""

ALIKE_BYTES = 2**24
"""What is kept of these, decoded."""


def open_page(page, descriptor, cache, *, limits, colour=None) -> "PlainPage | SegmentedPage":
    """Make a page ready for its regions to be read.

    Parameters
    ----------
    page : tifffile.TiffPage
        Of one plane of depth.
    descriptor : int
        Of the open file.
    cache : slidecaf.slides.cache.SegmentCache
        For decoded tiles or strips; several pages of a file may share it.
    limits : slidecaf.slides.base.Limits
        How many pixels may be decoded at once.
    colour : slidecaf.slides.colour.Colour, optional
        Turns samples into RGB. With it regions are uint8 of three channels, and a tile that was not stored is white.
        Without it regions are as stored, and what a sparse file leaves out has the value that it names for that.

    Returns
    -------
    PlainPage or SegmentedPage

    Raises
    ------
    ValueError
        If its compression is not supported, if a tile or strip is too large to be decoded at once, or if the page is
        damaged.
    """
    if page.is_final:
        return PlainPage(page, descriptor, colour)
    return SegmentedPage(page, descriptor, cache, limits, colour)


class PlainPage:
    """A page stored as one piece without compression; made by `open_page`.

    The file is not mapped into memory, where all that was ever looked at would count as the process's own.

    Attributes
    ----------
    block : (int, int)
        Width and height of the regions by which the whole page is best read in any order.
    band : (int, int)
        Width and height of the regions by which it is best read from left to right and top to bottom.
    """

    def __init__(self, page, descriptor, colour):
        self._descriptor, self._colour, self.block = descriptor, colour, whole_tiles(1, 1)
        self._offset, self._dtype = page.dataoffsets[0], page.dtype.newbyteorder(page.parent.byteorder)
        self._planes, _, self._rows, self._columns, self._samples = page.shaped
        self.band = _band(self._columns, 1)
        if os.fstat(descriptor).st_size < self._offset + page.nbytes:
            raise ValueError("the file ends within its pixels")

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a region that lies inside the page.

        Parameters
        ----------
        x, y, width, height : int
            In px of the page.

        Returns
        -------
        ndarray, shape (height, width, channels)
        """
        # whole rows follow one another in the file, and are read at once
        runs, length = (1, height * width) if width == self._columns else (height, width)
        planes = np.empty((self._planes, runs, length, self._samples), self._dtype)
        for plane, run in np.ndindex(planes.shape[:2]):
            place = ((plane * self._rows + y + run) * self._columns + x) * self._samples
            _read_at(self._descriptor, planes[plane, run].view(np.uint8), self._offset + place * self._dtype.itemsize)
        samples = np.concatenate(planes.reshape(self._planes, height, width, self._samples), axis=-1)
        return samples if self._colour is None else self._colour.rgb(samples)


class SegmentedPage:
    """A page of tiles or strips, which are decoded one by one; made by `open_page`.

    Attributes
    ----------
    block, band : (int, int)
        As of `PlainPage`. No tile or strip is decoded twice, in any order of blocks that are whole tiles or strips,
        or by bands in their order.
    """

    def __init__(self, page, descriptor, cache, limits, colour):
        self._page, self._descriptor, self._cache, self._colour = page, descriptor, cache, colour
        self._alike = SegmentCache(ALIKE_BYTES)
        tile = self._width, self._height = sides(page)
        if page.compression not in tifffile.TIFF.DECOMPRESSORS:
            raise ValueError(f"compression {page.compression} is not supported")
        if min(tile) < 1:
            raise ValueError(f"tiles or strips of {self._width} x {self._height} px")
        limits.check_decoded(*tile, "a tile or strip")
        self._across, self._down = -(-page.imagewidth // self._width), -(-page.imagelength // self._height)
        count = page.shaped[0] * self._across * self._down
        if min(len(page.dataoffsets), len(page.databytecounts)) < count:
            raise ValueError(f"the places of only {len(page.dataoffsets)} of {count} tiles or strips are given")
        self.block = whole_tiles(*tile) if page.is_tiled else _band(*tile)
        self.band = tile if page.is_tiled else self.block
        page.init_decode()  # tifffile makes the decoder at first use, and not safely for threads

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a region that lies inside the page.

        Parameters
        ----------
        x, y, width, height : int
            In px of the page.

        Returns
        -------
        ndarray, shape (height, width, channels)
            Read-only where one tile or strip holds the whole region.
        """
        region = None
        for row in range(y // self._height, -(-(y + height) // self._height)):
            for column in range(x // self._width, -(-(x + width) // self._width)):
                left, top = column * self._width, row * self._height
                x0, x1 = max(x, left), min(x + width, left + self._width)
                y0, y1 = max(y, top), min(y + height, top + self._height)
                part = self._segment(row, column)[y0 - top : y1 - top, x0 - left : x1 - left]
                if part.shape[:2] != (y1 - y0, x1 - x0):
                    raise ValueError(f"the piece at ({left}, {top}) is incomplete")
                if part.shape[:2] == (height, width):
                    return part
                if region is None:
                    region = np.empty((height, width, part.shape[2]), part.dtype)
                region[y0 - y : y1 - y, x0 - x : x1 - x] = part
        return region

    def _segment(self, row, column):
        return self._cache.get((self._page.offset, row, column), lambda: self._decode(row, column))

    def _decode(self, row, column):
        planes = []
        for plane in range(self._page.shaped[0]):
            index = (plane * self._down + row) * self._across + column
            offset, count = self._page.dataoffsets[index], self._page.databytecounts[index]
            if self._colour is not None and (offset == 0 or count == 0):
                # Nothing was scanned here; OpenSlide has such tiles transparent, which is white as well.
                return np.full((self._height, self._width, 3), 255, np.uint8)
            if offset == 0 and count == 0:
                shape = self._height, self._width, self._page.shaped[-1]
                planes.append(np.full(shape, self._page.nodata, self._page.dtype))
                continue
            check_packed(self._page, count)
            data = bytearray(count)
            _read_at(self._descriptor, data, offset)
            unpack = partial(decode, self._page, data, index)
            short = count < ALIKE and self._page.compression == PLAIN_JPEG  # whose pixels do not depend on the place
            planes.append(self._alike.get(bytes(data), unpack) if short else unpack())
        samples = np.concatenate(planes, axis=-1) if len(planes) > 1 else planes[0]
        return samples if self._colour is None else self._rgb(samples)

    def _rgb(self, samples):
        # of a large strip a part at a time: on the way to 8 bit a pixel takes many bytes
        step = max(1, BAND_PIXELS // self._width)
        parts = [self._colour.rgb(samples[top : top + step]) for top in range(0, len(samples), step)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


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
