"""Whole slides in DICOM, a file a level, written as far as OpenSlide needs: tiles without compression, in rows."""

import struct
from pathlib import Path

import numpy as np

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
EXPLICIT = "1.2.840.10008.1.2.1"
LONG = {"OB", "OW", "SQ", "UN"}
"""Types whose length has 32 bits."""


def element(group, number, kind, value):
    """One element of a data set; a list of data sets is a sequence."""
    if isinstance(value, list):
        items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in value)
        return struct.pack("<HH2sHI", group, number, b"SQ", 0, len(items)) + items
    if isinstance(value, str):
        value = value.encode() + (b"\0" if kind == "UI" else b" ") * (len(value) % 2)
    elif kind == "US":
        value = struct.pack("<H", value)
    elif kind == "UL":
        value = struct.pack("<I", value)
    head = "<HH2sHI" if kind in LONG else "<HH2sH"
    rest = (0, len(value)) if kind in LONG else (len(value),)
    return struct.pack(head, group, number, kind.encode(), *rest) + value


def write_level(path, pixels, *, series, number, spacing, tile=32):
    """Write one level of a slide.

    Parameters
    ----------
    path : path-like
    pixels : ndarray of uint8, shape (h, w, 3)
    series : str
        The UID that makes levels one slide.
    number : int
        Of the level in the series.
    spacing : float
        Micrometres a pixel.
    tile : int, optional
        The side of tiles; those at the border are filled with black.
    """
    height, width = pixels.shape[:2]
    across, down = -(-width // tile), -(-height // tile)
    padded = np.zeros((down * tile, across * tile, 3), np.uint8)
    padded[:height, :width] = pixels
    frames = padded.reshape(down, tile, across, tile, 3).swapaxes(1, 2).tobytes()
    millimetres = f"{spacing / 1000:.8f}"
    measures = element(0x0028, 0x0030, "DS", f"{millimetres}\\{millimetres}")
    shared = element(0x0028, 0x9110, "SQ", [measures])
    path_of_light = element(0x0048, 0x0106, "SH", "1")
    meta = [
        element(0x0002, 0x0001, "OB", b"\0\1"),
        element(0x0002, 0x0002, "UI", WHOLE_SLIDE),
        element(0x0002, 0x0003, "UI", f"{series}.{number}"),
        element(0x0002, 0x0010, "UI", EXPLICIT),
        element(0x0002, 0x0012, "UI", "1.2.3"),
    ]
    body = [
        element(0x0008, 0x0008, "CS", f"ORIGINAL\\PRIMARY\\VOLUME\\{'NONE' if number == 1 else 'RESAMPLED'}"),
        element(0x0008, 0x0016, "UI", WHOLE_SLIDE),
        element(0x0008, 0x0018, "UI", f"{series}.{number}"),
        element(0x0008, 0x0060, "CS", "SM"),
        element(0x0020, 0x000D, "UI", "1.2.3.4"),
        element(0x0020, 0x000E, "UI", series),
        element(0x0020, 0x0013, "IS", str(number)),
        element(0x0020, 0x9311, "CS", "TILED_FULL"),
        element(0x0028, 0x0002, "US", 3),
        element(0x0028, 0x0004, "CS", "RGB"),
        element(0x0028, 0x0006, "US", 0),
        element(0x0028, 0x0008, "IS", str(across * down)),
        element(0x0028, 0x0010, "US", tile),
        element(0x0028, 0x0011, "US", tile),
        element(0x0028, 0x0100, "US", 8),
        element(0x0028, 0x0101, "US", 8),
        element(0x0028, 0x0102, "US", 7),
        element(0x0028, 0x0103, "US", 0),
        element(0x0048, 0x0006, "UL", width),
        element(0x0048, 0x0007, "UL", height),
        element(0x0048, 0x0105, "SQ", [path_of_light]),
        element(0x5200, 0x9229, "SQ", [shared]),
        element(0x7FE0, 0x0010, "OB", frames),
    ]
    head = b"".join(meta)
    length = element(0x0002, 0x0000, "UL", len(head))
    Path(path).write_bytes(bytes(128) + b"DICM" + length + head + b"".join(body))


def write_slide(folder, pixels, *, series="1.2.3.5", spacing=0.5, stem="level"):
    """Write a slide of two levels; returns the path of its full resolution."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_level(folder / f"{stem}-1.dcm", pixels, series=series, number=1, spacing=spacing)
    write_level(folder / f"{stem}-2.dcm", pixels[::2, ::2], series=series, number=2, spacing=2 * spacing)
    return folder / f"{stem}-1.dcm"
