"""The directories of a TIFF file, walked before a library follows them: hostile files let them run in a circle."""

import os
import struct

import tifffile

MOST_DIRECTORIES = 4096
"""Pages of a file. Slides have some ten, or a few hundred with focal planes."""

MOST_VALUES = 2**23
"""Numbers that a library holds for all pages, some 40 bytes each: the places of 4 million tiles."""

MOST_TAGS = 4096
"""Of a directory; a library takes more for damage."""

SUBIFDS, NDPI = 330, 65420
"""Tags: directories below a page, and the one by which Hamamatsu's files with offsets of 64 bit are known."""

TEXT = {1, 2, 6, 7}
"""Types whose values a library holds as bytes."""


def check_directories(path) -> None:
    """Refuse a TIFF file whose directories would take a library without end, or memory out of all proportion.

    What is merely damaged is left to the libraries. Of directories below pages (SubIFDs) those of the first are
    looked at, as nobody follows the others.

    Parameters
    ----------
    path : path-like
        A TIFF or BigTIFF file.

    Raises
    ------
    ValueError
        If directories run in a circle, or there are more than `MOST_DIRECTORIES` of them, or more than
        `MOST_VALUES` places of tiles and the like.
    """
    with open(path, "rb") as file:
        walk = _Walk(file)
        offset, below = walk.first, None
        while offset:
            offset, listed = walk.step(offset)
            below = listed if below is None else below
        for offset in below or ():
            walk.step(offset)


class _Walk:
    """Steps from directory to directory, counting what they hold."""

    def __init__(self, file):
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        header = file.read(16).ljust(16, b"\0")
        self._order = "<" if header.startswith(b"II") else ">"
        self._big = 43 in (header[2], header[3])
        self._count, self._entry, self._next = ("Q", "HHQ8s", "Q") if self._big else ("H", "HHI4s", "I")
        self.first = self._unpack(self._next, header[8:16] if self._big else header[4:8])
        if self._order == "<" and not self._big:
            wide = self._unpack("Q", header[4:12])
            if any(tag == NDPI for tag, *_ in self._read(wide, "Q")[1]):
                self.first, self._next = wide, "Q"
        self._seen, self._values = set(), 0

    def step(self, offset):
        """Look at a directory; return the next one's place, 0 after the last, and the places of those below it."""
        if offset in self._seen:
            raise ValueError("its directories run in a circle")
        self._seen.add(offset)
        following, entries = self._read(offset, self._next)
        below, listed = (), 0
        for tag, kind, count, value in entries:
            if tag in tifffile.TIFF.TAG_LOAD and kind not in TEXT:
                self._values += count
            if tag == SUBIFDS:
                below, listed = self._places(min(count, MOST_DIRECTORIES), value), count
        if len(self._seen) + listed > MOST_DIRECTORIES:
            raise ValueError(f"it has more than {MOST_DIRECTORIES} directories")
        if self._values > MOST_VALUES:
            raise ValueError(f"its directories list more than {MOST_VALUES} places of tiles or strips")
        return following, below

    def _read(self, offset, following):
        """Return the place of the next directory, and tag, type, count and value of each entry; nothing of damage."""
        count = self._unpack(self._count, self._at(offset, struct.calcsize(self._count)))
        if not count or count > MOST_TAGS:
            return 0, []
        entries = struct.Struct(self._order + self._entry)
        size, end = count * entries.size, struct.calcsize(following)
        data = self._at(offset + struct.calcsize(self._count), size + end)
        if len(data) < size:
            return 0, []
        return self._unpack(following, data[size:]), list(entries.iter_unpack(data[:size]))

    def _places(self, count, value):
        place = struct.Struct(self._order + ("Q" if self._big else "I"))
        if count * place.size > len(value):
            value = self._at(place.unpack(value)[0], count * place.size)
        return [found for (found,) in place.iter_unpack(value[: len(value) // place.size * place.size])][:count]

    def _at(self, offset, size):
        if not 0 < offset < self._size:
            return b""
        self._file.seek(offset)
        return self._file.read(size)

    def _unpack(self, number, data):
        """Return a number, or 0 where the file ends before it."""
        size = struct.calcsize(number)
        return struct.unpack(self._order + number, data[:size])[0] if len(data) >= size else 0
