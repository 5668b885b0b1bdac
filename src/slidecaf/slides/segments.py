"""One tile or strip of a TIFF page decoded, unless it would unpack to more than its place has room for."""

import struct

import numpy as np
import tifffile

from slidecaf.slides.colour import JPEG, YCBCR
from slidecaf.slides.jpeg import decode_jpeg, read_frame

MOST_PACKED = 4
"""How many times as long as its pixels a tile or strip may be packed, beside 1 MiB: noise in JPEG takes about twice."""

PLAIN_JPEG = 7
"""The value of Compression of JPEG as everyone writes it."""

JPEG2000 = {33003, 33004, 33005, 34712}
"""Values of Compression; the decoder takes all memory that such an image claims."""

APERIO = {33003, 33005}
"""Of these the two that fix what the channels are, YCbCr and RGB, whatever a box around the image says."""

CODESTREAM = b"\xff\x4f\xff\x51"
"""First bytes of JPEG 2000 without a box around it."""

MOST_CHANNELS = 5
"""CMYK and alpha."""


def check_packed(page, count) -> None:
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


def decode(page, data, index) -> np.ndarray:
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
    if page.compression in JPEG:
        frame = read_frame(page.jpegheader or data)
        _check_sides(page, frame.width, frame.height)
        if page.compression == PLAIN_JPEG and frame.is_usual and frame.channels == page.shaped[-1]:
            return decode_jpeg(data, frame, tables=page.jpegtables, ycbcr=page.photometric == YCBCR)
        return page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0][0]
    if page.compression in JPEG2000:
        if page.compression in APERIO:
            data = data[codestream(data) :]
        _check_sides(page, *jpeg2000_size(data))
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


def _check_sides(page, wide, high):
    width, height = sides(page)
    if wide > width or high > height:
        raise ValueError(f"a tile or strip of {width} x {height} px holds an image of {wide} x {high}")


def sides(page) -> tuple[int, int]:
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


def jpeg2000_size(data) -> tuple[int, int]:
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
        If there is no codestream where it has to be, or it has more channels than any tile that is read, or channels
        of fewer px than others, which the decoder does not enlarge.
    """
    place = codestream(data)
    if len(data) < place + 42:
        raise ValueError("a tile or strip is no JPEG 2000 image")
    right, bottom, left, top = struct.unpack_from(">4I", data, place + 8)
    (channels,) = struct.unpack_from(">H", data, place + 40)
    if channels > MOST_CHANNELS:
        raise ValueError(f"a tile or strip holds a JPEG 2000 image of {channels} channels")
    # a channel's bits, and px from one of its samples to the next, across and down
    steps = [bytes(data[place + 43 + 3 * channel : place + 45 + 3 * channel]) for channel in range(channels)]
    if len(set(steps)) > 1:
        raise ValueError("a tile or strip holds a JPEG 2000 image of subsampled colours, which are not supported")
    return right - left, bottom - top


def codestream(data) -> int:
    """Find where the codestream of a JPEG 2000 image begins.

    Parameters
    ----------
    data : bytes
        A codestream, or a JP2 file that holds one.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is no codestream where it has to be.
    """
    place = 0
    while data[place + 4 : place + 8] != b"jp2c" and not data.startswith(CODESTREAM, place):
        length = int.from_bytes(data[place : place + 4])
        if length < 8:
            raise ValueError("a tile or strip is no JPEG 2000 image")
        place += length
    place += 0 if data.startswith(CODESTREAM, place) else 8
    if not data.startswith(CODESTREAM, place):
        raise ValueError("a tile or strip is no JPEG 2000 image")
    return place
