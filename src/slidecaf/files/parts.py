"""Which files a slide consists of: of most formats one, of some a folder full.

A digest covers all of them. What stands here is found without a library that opens slides, in a few reads.
"""

import os
import re
from functools import cache
from pathlib import Path

INDEXED = (".vms", ".vmu")
"""Suffixes of Hamamatsu's index files, text that names the files beside it."""

MIRAX = ".mrxs"
"""The suffix of MIRAX slides, whose pixels lie in a folder of the file's name without it."""

HEAD = 2**18
"""Bytes of a DICOM file's beginning in which its series is named, before any pixel."""

SERIES = re.compile(rb"\x20\x00\x0e\x00(?:UI..|..\x00\x00)([0-9.]{1,64})", re.DOTALL)
"""DICOM's Series Instance UID (0020,000E), with its type or without."""


def is_dicom(path) -> bool:
    """Tell whether a file is DICOM, by its first bytes.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool
    """
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def lies_alone(path) -> bool:
    """Tell whether a slide is one file, whatever lies beside it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool
    """
    path = Path(path)
    return not path.is_dir() and path.suffix.lower() not in (MIRAX, *INDEXED) and not is_dicom(path)


def folder_of(path) -> Path:
    """Return the folder in which the further files of a slide lie, where there are any.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    pathlib.Path
    """
    path = Path(path)
    if path.is_dir():
        return path
    return path.with_suffix("") if path.suffix.lower() == MIRAX else path.parent


def parts_of(path) -> list[Path]:
    """List the files that a slide consists of.

    Parameters
    ----------
    path : path-like
        A file, or a folder of DICOM files.

    Returns
    -------
    list of pathlib.Path
        The file itself first, the others by name. Of MIRAX all files of its folder; of Hamamatsu's index files those
        that they name; of DICOM the files beside it that name the same series; of a folder all its DICOM files.
    """
    path = Path(path)
    if path.is_dir():
        return [file for slide in dicom_slides(path) for file in slide]
    suffix = path.suffix.lower()
    if suffix == MIRAX:
        return [path, *_files(path.with_suffix(""))]
    if suffix in INDEXED:
        text = path.read_bytes()
        return [path, *(file for file in _files(path.parent) if file != path and os.fsencode(file.name) in text)]
    if is_dicom(path):
        own = series_of(path)
        others = (file for file in _files(path.parent) if file != path and is_dicom(file))
        return [path, *(file for file in others if series_of(file) & own)]
    return [path]


def series_of(path) -> frozenset[bytes]:
    """Find which series a DICOM file names: its own, and perhaps some that it refers to.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    frozenset of bytes
    """
    stat = os.stat(path)
    return _series(str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@cache
def _series(path, *state):
    """Read a file once: each slide of a folder asks for the series of all files there."""
    with open(path, "rb") as file:
        return frozenset(SERIES.findall(file.read(HEAD)))


def dicom_slides(folder) -> list[list[Path]]:
    """Tell apart the DICOM slides in a folder.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of list of pathlib.Path
        The files of each series, by name; a file that names a series of another is of the same slide.
    """
    slides = []
    for path in _files(folder):
        if path.stat().st_size > 132 and is_dicom(path):
            series, files = series_of(path), [path]
            for other in [slide for slide in slides if slide[0] & series]:
                slides.remove(other)
                series, files = series | other[0], other[1] + files
            slides.append((series, files))
    return sorted(sorted(files) for _, files in slides)


def _files(folder):
    return sorted(file for file in Path(folder).iterdir() if file.is_file()) if Path(folder).is_dir() else []
