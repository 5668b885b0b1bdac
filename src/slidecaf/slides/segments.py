"""Regions of one page of a TIFF file, by the tiles or strips that they meet."""

import os
import struct
import threading
from collections import OrderedDict

import numpy as np
import tifffile

from slidecaf.slides.base import whole_tiles
from slidecaf.slides.colour import JPEG, Colour

BAND_PIXELS = 2**22
"""Pixels of the bands by which a page of strips is best read: 12 MiB of RGB."""

MOST_PACKED = 4
"""How many times as long as its pixels a tile or strip may be packed, beside 1 MiB: noise in JPEG takes about twice."""

JPEG2000 = {33003, 33004, 33005, 34712}
"""Values of Compression; the decoder takes all memory that such an image claims."""

CODESTREAM = b"\xff\x4f\xff\x51"
"""First bytes of JPEG 2000 without a box around it."""

MOST_CHANNELS = 5
"""CMYK and alpha."""

FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that say the image's sides."""


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
    limits : slidecaf.slides.base.Limits

    Raises
    ------
    ValueError
        If its pixels or its compression are of a kind that is not supported, if a tile or strip is too large to be
        decoded at once, or if the page is damaged.
    """

    def __init__(self, page, descriptor, cache, limits):
        self._page, self._descriptor, self._cache = page, descriptor, cache
        self._colour = Colour.of(page)
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
            check_packed(self._page, count)
            data = bytearray(count)
            _read_at(self._descriptor, data, offset)
            planes.append(decode(self._page, data, index))
        samples = np.concatenate(planes, axis=-1) if len(planes) > 1 else planes[0]
        # of a large strip a part at a time: on the way to 8 bit a pixel takes many bytes
        step = max(1, BAND_PIXELS // self._width)
        parts = [self._colour.rgb(samples[top : top + step]) for top in range(0, len(samples), step)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def check_packed(page, count):
    """Refuse a tile or strip that is packed into far more bytes than it has pixels.

    Parameters
    ----------
    page : tifffile.TiffPage
    count : int
        Bytes of the tile or strip, as the file says.

    Raises
    ------
    ValueError
        If nobody would pack it so.
    """
    width, height = sides(page)
    if count > MOST_PACKED * width * height * page.shaped[-1] * page.dtype.itemsize + 2**20:
        raise ValueError(f"a tile or strip of {width} x {height} px is packed into {count} bytes")


def decode(page, data, index):
    """Decode a tile or strip, unless it unpacks to another size than it should.

    Parameters
    ----------
    page : tifffile.TiffPage
    data : bytes
    index : int
        Of the tile or strip in the page.

    Returns
    -------
    ndarray, shape (h, w, channels)

    Raises
    ------
    ValueError
        If `data` is an image of more pixels than its tile or strip.
    """
    if page.compression not in tifffile.TIFF.IMAGE_COMPRESSIONS:  # these stop where the tile or strip is full
        return page.decode(data, index)[0][0]
    width, height = sides(page)
    if page.compression in JPEG or page.compression in JPEG2000:
        wide, high = (jpeg_size if page.compression in JPEG else jpeg2000_size)(page.jpegheader or data)
        if wide > width or high > height:
            raise ValueError(f"a tile or strip of {width} x {height} px holds an image of {wide} x {high}")
        return page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0][0]
    # Other decoders are given as much room as there is, and refuse an image of another size before they decode it.
    across = -(-page.imagewidth // width)
    row, column = divmod(index % (-(-page.imagelength // height) * across), across)
    whole = height, width, page.shaped[-1]
    inside = min(height, page.imagelength - row * height), min(width, page.imagewidth - column * width), whole[-1]
    decompress = tifffile.TIFF.DECOMPRESSORS[page.compression]
    for shape in dict.fromkeys((whole, inside)):  # at the border either is written
        room = np.empty(shape if shape[-1] > 1 else shape[:2], page.dtype)
        try:
            return decompress(data, out=room).reshape(shape)
        except ValueError as error:
            wrong = error
    raise wrong


def sides(page):
    """Return the width and height of a page's tiles or strips.

    Parameters
    ----------
    page : tifffile.TiffPage

    Returns
    -------
    (int, int)
        In px. A strip may claim more rows than the page has, and gets these.
    """
    if page.is_tiled:
        return page.tilewidth, page.tilelength
    return page.imagewidth, min(page.rowsperstrip, page.imagelength)


def jpeg_size(data):
    """Find the width and height of a JPEG image.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    (int, int)

    Raises
    ------
    ValueError
        If there is no frame header where one has to be.
    """
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker in FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4])
    raise ValueError("a tile or strip is no JPEG image")


def jpeg2000_size(data):
    """Find the width and height of a JPEG 2000 image.

    Parameters
    ----------
    data : bytes
        A codestream, or a JP2 file that holds one.

    Returns
    -------
    (int, int)

    Raises
    ------
    ValueError
        If there is no codestream where it has to be, or it has more channels than any tile that is read.
    """
    place = 0
    while data[place + 4 : place + 8] != b"jp2c" and not data.startswith(CODESTREAM, place):
        length = int.from_bytes(data[place : place + 4])
        if length < 8:
            raise ValueError("a tile or strip is no JPEG 2000 image")
        place += length
    place += 0 if data.startswith(CODESTREAM, place) else 8
    if not data.startswith(CODESTREAM, place) or len(data) < place + 42:
        raise ValueError("a tile or strip is no JPEG 2000 image")
    right, bottom, left, top = struct.unpack_from(">4I", data, place + 8)
    (channels,) = struct.unpack_from(">H", data, place + 40)
    if channels > MOST_CHANNELS:
        raise ValueError(f"a tile or strip holds a JPEG 2000 image of {channels} channels")
    return right - left, bottom - top


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
