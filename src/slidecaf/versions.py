"""Versions of slidecaf and of the packages that decide what a file holds."""

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
