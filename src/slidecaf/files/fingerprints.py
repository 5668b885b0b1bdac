"""Digests that tell the workflow what has changed: slides and values.

Snakemake compares them as parameters.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from slidecaf.files.faults import unread
from slidecaf.files.parts import folder_of, lies_alone, parts_of
from slidecaf.files.tables import read_json, write_json

ENDS = 256 * 1024
"""Bytes read from each end of a file for its fingerprint."""

BETWEEN, SAMPLE = 8, 32 * 1024
"""Places between the ends, and bytes read at each: without compression two slides may begin and end alike."""

TOGETHER = 16
"""Files that a thread is handed at once: one by one, handing them out takes longer than a look at a local file."""


def value_digest(value):
    """Digest a value made of dicts, lists, texts, numbers and None.

    Parameters
    ----------
    value : object
        Anything that JSON can hold; the order of keys does not matter.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(path):
    """Digest a slide: size, both ends and some places between them of every file that it consists of.

    A copy has the same fingerprint, whatever its name and time; a file of the same size that differs elsewhere only is
    not told apart.

    Parameters
    ----------
    path : path-like
        A file, or a folder of DICOM files.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    found = sorted(_sampled(part) for part in parts_of(path))
    return found[0][:16] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()[:16]


def _sampled(path):
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        digest.update(file.read(ENDS))
        for place in range(1, BETWEEN + 1) if size > 2 * ENDS else ():
            file.seek(size * place // (BETWEEN + 1))
            digest.update(file.read(SAMPLE))
        file.seek(max(ENDS, size - ENDS))
        digest.update(file.read(ENDS))
    return digest.hexdigest()


def whole_digest(path):
    """Digest every byte of a slide, to tell copies from slides with the same fingerprint.

    Parameters
    ----------
    path : path-like
        As for `fingerprint`.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    found = sorted(_file_digest(part) for part in parts_of(path))
    return found[0] if len(found) == 1 else value_digest(found)


def _size(path):
    return sum(part.stat().st_size for part in parts_of(path))


def _file_digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


MEMORY = ".snakemake/slidecaf/fingerprints.json"
"""Where a study remembers them."""


class Fingerprints:
    """Fingerprints remembered by path, size and time of change, so that a plan reads no slide twice.

    Parameters
    ----------
    memory : path-like
        A JSON file; made by `save`. Losing it costs time only.
    """

    def __init__(self, memory):
        self._memory = Path(memory)
        self._known = read_json(memory) if self._memory.is_file() else {}
        self._changed = False
        self._folders = {}

    def __call__(self, path, *, whole=False):
        """Return the fingerprint of a slide or file.

        Parameters
        ----------
        path : path-like
        whole : bool, optional
            Digest every byte: of masks, which people edit in their middle, of weights, and of slides that are alike.

        Returns
        -------
        str

        Raises
        ------
        SlidecafError
            If the machine does not give the file.
        """
        stat = os.stat(path)
        # ctime cannot be set back: a file replaced by an older one, or edited and dated back, is read again
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        key = f"whole {path}" if whole else str(path)
        known = self._known.get(key)
        if known is None or known[:3] != state or known[4:] != self._beside(path, known):
            try:
                known = self._known[key] = [*state, *self._read(path, whole)]
            except OSError as error:
                raise unread(path, error, damaged="take an undamaged copy") from error
            self._changed = True
        return known[3]

    def _read(self, path, whole):
        beside = [] if lies_alone(path) else [self._folder(folder_of(path)), _size(path)]
        return [whole_digest(path) if whole else fingerprint(path), *beside]

    def _beside(self, path, known):
        """Return what is remembered of a slide of several files, as it is now."""
        return [self._folder(folder_of(path)), *known[5:]] if known[4:] else []

    def _folder(self, folder):
        """Digest which files lie in a folder, their sizes and times; each folder is listed once."""
        if folder not in self._folders and not folder.is_dir():
            self._folders[folder] = ""
        if folder not in self._folders:
            stats = sorted((entry.name, entry.stat()) for entry in os.scandir(folder) if entry.is_file())
            listed = [[name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats]
            self._folders[folder] = value_digest(listed)
        return self._folders[folder]

    def size(self, path):
        """Return the size of a slide, remembered or asked for.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        int
            Bytes, of all its files.
        """
        known = self._known.get(str(path))
        if known is None:
            return _size(path)
        return known[5] if known[5:] else known[0]

    def read(self, paths, *, whole=False):
        """Learn the fingerprints of many files at once: on a network, waiting is most of the work.

        Parameters
        ----------
        paths : iterable of path-like
        whole : bool, optional
            As above.
        """
        paths = list(paths)
        shares = [paths[first : first + TOGETHER] for first in range(0, len(paths), TOGETHER)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda share: [self(path, whole=whole) for path in share], shares))

    def save(self):
        """Write what was learned, if anything was."""
        if self._changed:
            write_json(self._memory, self._known)
            self._changed = False
