"""One tile or strip of baseline JPEG decoded, unless it is damaged.

libjpeg-turbo warns of damage and fills with grey what it cannot make out. Here that is an error, as it is to OpenSlide.
"""

import struct
from dataclasses import dataclass

import simplejpeg

FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers that say the image's sides."""

USUAL_FRAMES = {0xC0, 0xC1, 0xC2}
"""Of these the ones with Huffman codes: baseline, extended, progressive."""

JFIF, ADOBE = 0xE0, 0xEE
"""Markers by which a file of its own says what its channels are; in a TIFF file the tags say it."""

START = b"\xff\xd8"


@dataclass(frozen=True)
class Frame:
    """What the header of a JPEG image says.

    Attributes
    ----------
    width, height : int
        In px.
    is_usual : bool
        Whether it has 8 bit a sample and one channel or three, in one of `USUAL_FRAMES`.
    channels : int
    own : tuple of slice
        Where it says itself what its channels are.
    """

    width: int
    height: int
    is_usual: bool
    channels: int
    own: tuple[slice, ...]


def read_frame(data) -> Frame:
    """Read the header of a JPEG image.

    Parameters
    ----------
    data : bytes-like

    Returns
    -------
    Frame

    Raises
    ------
    ValueError
        If there is no frame header where one has to be.
    """
    place, own = 2, []
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in FRAME_HEADERS:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, place + 4)
            usual = marker in USUAL_FRAMES and bits == 8 and channels in (1, 3)
            return Frame(width, height, usual, channels, tuple(own))
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if marker in (JFIF, ADOBE):
            own.append(slice(place, end))
        place = end
    raise ValueError("a tile or strip is no JPEG image")


def decode_jpeg(data, frame, *, tables=None, ycbcr):
    """Decode a JPEG image of usual kind.

    Parameters
    ----------
    data : bytes-like
    frame : Frame
        Of `data`.
    tables : bytes, optional
        Those that a TIFF page keeps for all its tiles.
    ycbcr : bool
        Whether three channels are YCbCr, and not RGB.

    Returns
    -------
    ndarray of uint8, shape (h, w, channels)
        RGB, or grey.

    Raises
    ------
    ValueError
        If it is damaged, wherever that is.
    """
    kind = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([ycbcr])
    parts, start = [START, kind, _body(tables)], len(START)
    for own in frame.own:
        parts.append(data[start : own.start])
        start = own.stop
    image = b"".join([*parts, data[start:]])
    # by default what it gives is libjpeg's slow and exact arithmetic, with smooth chroma, as OpenSlide's
    return simplejpeg.decode_jpeg(image, "RGB" if frame.channels == 3 else "GRAY", strict=True)


def _body(tables):
    """Return tables without the markers of start and end around them."""
    if not tables:
        return b""
    if not tables.startswith(START):
        raise ValueError("the page's JPEG tables are damaged")
    return tables[len(START) :].removesuffix(b"\xff\xd9")
