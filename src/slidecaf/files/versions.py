"""Versions of slidecaf and of the packages that decide what a file holds, and what files say of them."""

from functools import cache
from importlib import metadata


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


def origin(code, weights_sha256=None):
    """Return what a file says of how it was made.

    Parameters
    ----------
    code : str
        Digest of the script and the modules that made it, from `slidecaf.files.fingerprints.code_digest`.
    weights_sha256 : str, optional
        Digest of the network's weights, where one had a part in it.

    Returns
    -------
    dict
    """
    said = {"slidecaf_version": version(), "code": code}
    return said if weights_sha256 is None else {**said, "weights_sha256": str(weights_sha256)}
