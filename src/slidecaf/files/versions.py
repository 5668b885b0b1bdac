"""Versions of slidecaf and of the packages that decide what a file holds, and what files say of them."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder of the library."""


@cache
def version(package="slidecaf"):
    """Return the installed version of a package, without importing it.

    Parameters
    ----------
    package : str, optional
        The name it is installed by, such as ``"torch"``; ``"slidecaf"`` by default.

    Returns
    -------
    str

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        If it is not installed.
    """
    return metadata.version(package)


@cache
def revision(package: str) -> int:
    """Return the revision of a package of slidecaf, without importing it.

    Parameters
    ----------
    package : str
        Such as ``"tiles"`` or ``"segmentation.solver"``.

    Returns
    -------
    int
        The ``REVISION`` that stands in its ``__init__.py``.

    Examples
    --------
    >>> revision("tiles") >= 1
    True
    """
    text = ROOT.joinpath(*package.split("."), "__init__.py").read_text(encoding="utf-8")
    return int(re.search(r"^REVISION = (\d+)$", text, re.MULTILINE)[1])


def revisions(*packages: str) -> dict[str, int]:
    """Return the revisions of the packages that a job runs.

    Parameters
    ----------
    *packages : str

    Returns
    -------
    dict of str to int
    """
    return {package: revision(package) for package in packages}


def origin(revisions: Mapping[str, int], **further) -> dict[str, str]:
    """Return what a file says of how it was made, as attributes of an HDF5 file's root.

    Parameters
    ----------
    revisions : mapping of str to int
        Of the packages that made it.
    **further
        Such as ``weights_sha256``.

    Returns
    -------
    dict of str to str
    """
    said = ", ".join(f"{package} {number}" for package, number in sorted(revisions.items()))
    return {"slidecaf_version": version(), "revision": said, **further}
