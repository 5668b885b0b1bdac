"""Digests of the files that jobs read: slides, masks, weights. They enter params, so that a change of bytes counts."""

import os
from collections.abc import Collection, Iterable, Mapping

from slidecaf.files.fingerprints import Fingerprints
from slidecaf.files.versions import revisions
from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.names import is_weights_file
from slidecaf.study.sheets import Row

MISSING = FileNotFoundError, NotADirectoryError
"""How the system says that a path names no file."""


class Digests:
    """Digests of a study's files.

    Parameters
    ----------
    fingerprints : slidecaf.files.fingerprints.Fingerprints
        Which remembers them.
    rows : mapping of str to slidecaf.study.sheets.Row
        Slide to its row.
    made : collection of str
        Paths of slides and masks that the workflow draws itself; they may be missing.
    """

    def __init__(self, fingerprints: Fingerprints, rows: Mapping[str, Row], made: Collection[str] = ()):
        self._fingerprints, self._rows, self._made = fingerprints, rows, made

    def file(self, path: str, whole: bool = False) -> str:
        """Return the digest of a file; of one that is drawn also the revision of what draws it.

        Parameters
        ----------
        path : str
        whole : bool, optional
            Digest every byte.

        Returns
        -------
        str
            Empty of a file that is missing.
        """
        try:
            digest = self._fingerprints(path, whole=whole)
        except MISSING:
            digest = ""
        return f"demo-{revisions('demo')['demo']}-{digest}" if path in self._made else digest

    def slide(self, slide: str, wildcards: Wildcards | None = None) -> dict:
        """Return what a job that reads a slide depends on: its ``digest``, and what the sheet says of its file.

        Parameters
        ----------
        slide : str
        wildcards : Wildcards, optional
            Which change nothing.

        Returns
        -------
        dict
            ``digest``, ``mpp`` and ``scene``.
        """
        row = self._rows[slide]
        return {"digest": self.file(row.path), "mpp": row.mpp, "scene": row.scene}

    def weights(self, weights: str | None, model: str = "") -> str:
        """Return the digest of every byte of a weights file.

        Parameters
        ----------
        weights : str or None
            The config's.
        model : str, optional
            As for `slidecaf.study.names.is_weights_file`.

        Returns
        -------
        str
            Empty of weights that have a name or a seed, and of none.
        """
        return self._fingerprints(weights, whole=True) if weights and is_weights_file(weights, model) else ""

    def size(self, path: str) -> int:
        """Return the bytes of a slide; 0 where it is yet to be drawn.

        Parameters
        ----------
        path : str

        Returns
        -------
        int
        """
        try:
            return self._fingerprints.size(path)
        except MISSING:
            return 0

    def read_ahead(self, paths: Iterable[str]) -> None:
        """Read some files together, those that are there, before each is asked for.

        Parameters
        ----------
        paths : iterable of str
            Files whose every byte counts, such as masks; empty ones are left out.
        """
        self._fingerprints.read(filter(os.path.exists, paths), whole=True)
