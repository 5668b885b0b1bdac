"""Checksums of result files: a bit that flips on a disk is noticed before anything is learned from it.

An HDF5 file carries a note behind its end, where HDF5 does not look, so that every reader still opens it. The note
has the file's SHA-256, which is compared before HDF5 sees it: in damaged bytes HDF5 may read other numbers, crash, or
never end. Chunks of features, of which often a part is read, are left to gzip's own checksum, which HDF5 compares when
it unpacks them; the note lists where they are. Adler-32 is the weaker of the two: in other, smaller chunks one flipped
bit in thousands escaped it.

A text file would lose its form by such a note, and has a hidden file beside it, as ``sha256sum -c`` reads it.
"""

import hashlib
import json
import os
import struct
from pathlib import Path

from slidecaf.errors import SlidecafError
from slidecaf.files.faults import machine_fault, unread
from slidecaf.logs import logger

END = "slidecaf {:012d}\n"
"""The last line of a file: how many bytes of a note stand before it."""

PIECE = 2**20
"""Bytes read at once."""

_whole = set()  # files that this process has compared: maps are opened once a model and C


def packed_chunks(file):
    """Return where the gzip chunks of features lie in an HDF5 file.

    Parameters
    ----------
    file : h5py.File
        Flushed.

    Returns
    -------
    list of [int, int]
        Offset and bytes, ascending; neighbours are one.
    """
    import h5py

    found = []

    def note(chunk):
        if not chunk.filter_mask:  # a chunk that gzip did not make smaller is stored as it is
            found.append([chunk.byte_offset, chunk.size])

    def visit(name, dataset):
        if name == "features" and isinstance(dataset, h5py.Dataset) and dataset.compression == "gzip":
            dataset.id.chunk_iter(note)

    file.visititems(visit)
    merged = []
    for offset, size in sorted(found):
        if merged and sum(merged[-1]) == offset:
            merged[-1][1] += size
        else:
            merged.append([offset, size])
    return merged


def append(path, packed):
    """Write the note behind the end of an HDF5 file.

    Parameters
    ----------
    path : path-like
    packed : list of [int, int]
        From `packed_chunks`.
    """
    with open(path, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        note = {"bytes": size, "packed": packed}
        text = json.dumps({**note, "sha256": _digest(file, note)}).encode()
        file.seek(size)
        file.write(text + END.format(len(text)).encode())


def check_appended(path):
    """Compare an HDF5 file with its note, once a process unless it changes; where it has none, the log says so.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    OSError
        If it cannot be read.
    SlidecafError
        If it is not what was written.
    """
    with open(path, "rb") as file:
        stat = os.fstat(file.fileno())
        state = str(path), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
        if state in _whole:
            return
        if stat.st_size == _own_end(file):
            logger.warning("%s has no checksum behind its end and is read unchecked", path)
        elif not _agrees(file, stat.st_size):
            raise _damaged(path)
    _whole.add(state)


def _own_end(file):
    """Return where an HDF5 file ends by its own account."""
    file.seek(0)
    head = file.read(48)
    plain = len(head) == 48 and head.startswith(b"\x89HDF\r\n\x1a\n\0")
    return struct.unpack("<Q", head[40:])[0] if plain else None


def _agrees(file, size):
    end = len(END.format(0))
    try:
        file.seek(size - end)
        length = int(file.read()[-13:])
        file.seek(size - end - length)
        text = file.read()
        note = json.loads(text[:length])
        digest = note.pop("sha256")
        # whatever is wrong with a note, it is not the one that was written
        whole = json.dumps({**note, "sha256": digest}).encode() + END.format(length).encode()
        return text == whole and note["bytes"] == size - len(text) and _digest(file, note) == digest
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return False
    except OSError as error:
        if machine_fault(error):
            raise
        return False


def _digest(file, note):
    """Return the digest of a note and of all that does not lie in gzip chunks."""
    digest, start = hashlib.sha256(json.dumps(note).encode()), 0
    for offset, size in [*note["packed"], [note["bytes"], 0]]:
        file.seek(start)
        left = offset - start
        while left > 0 and (piece := file.read(min(PIECE, left))):
            digest.update(piece)
            left -= len(piece)
        start = offset + size
    return digest.hexdigest()


def beside(path):
    """Return the hidden file that holds a text file's checksum.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    pathlib.Path
    """
    return Path(path).with_name(f".{Path(path).name}.sha256")


def line(content, name):
    """Return what the hidden file says.

    Parameters
    ----------
    content : bytes
        Of the text file.
    name : str
        Its name.

    Returns
    -------
    str
    """
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"


def check(path, content):
    """Compare a text file with the checksum beside it; where there is none, the log says so.

    Parameters
    ----------
    path : path-like
    content : bytes
        As read from it.

    Raises
    ------
    SlidecafError
        If it is not what was written.
    """
    try:
        expected = beside(path).read_bytes()
    except FileNotFoundError:
        logger.warning("%s has no checksum beside it and is read unchecked", path)
        return
    except OSError as error:
        raise unread(beside(path), error) from error
    if expected != line(content, Path(path).name).encode():
        raise _damaged(path)


def _damaged(path):
    return SlidecafError(
        f"{path} is damaged (by its checksum it is not what a job wrote: changed or cut off since); delete it and run "
        "again."
    )
