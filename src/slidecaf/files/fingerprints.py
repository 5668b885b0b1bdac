"""Digests that tell the workflow what has changed: slides and values.

Snakemake compares them as parameters.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from slidecaf.files.faults import unread
from slidecaf.files.tables import read_json, write_json

ENDS = 256 * 1024
"""Bytes read from each end of a file for its fingerprint."""

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
    """Digest a file's size and both its ends.

    A copy has the same fingerprint, whatever its name and time; a file of the same size that differs in its
    middle only is not told apart. A format that keeps its pixels in a folder beside the file (MIRAX: the
    file's name without suffix) enters with that folder's names and sizes too.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        digest.update(file.read(ENDS))
        file.seek(max(ENDS, size - ENDS))
        digest.update(file.read(ENDS))
    companion = path.with_suffix("")
    if path.suffix.lower() == ".mrxs" and companion.is_dir():
        for part in sorted(companion.iterdir()):
            digest.update(f"{part.name} {part.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def _file_digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


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

    def __call__(self, path, *, whole=False):
        """Return the fingerprint of a file.

        Parameters
        ----------
        path : path-like
        whole : bool, optional
            Digest all of the file: for masks, which people edit in their middle.

        Returns
        -------
        str

        Raises
        ------
        SlidecafError
            If the machine does not give the file.
        """
        stat = Path(path).stat()
        # ctime cannot be set back: a file replaced by an older one, or edited and dated back, is read again
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        key = f"whole {path}" if whole else str(path)
        known = self._known.get(key)
        if known is None or known[:3] != state:
            try:
                known = self._known[key] = [*state, _file_digest(path) if whole else fingerprint(path)]
            except OSError as error:
                raise unread(path, error, damaged="take an undamaged copy") from error
            self._changed = True
        return known[3]

    def size(self, path):
        """Return the size of a file, remembered or asked for.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        int
            Bytes; of a MIRAX slide, with the files of its folder.
        """
        path = Path(path)
        if path.suffix.lower() == ".mrxs" and path.with_suffix("").is_dir():
            return sum(part.stat().st_size for part in [path, *path.with_suffix("").iterdir()])
        known = self._known.get(str(path))
        return known[0] if known else path.stat().st_size

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
