"""One run a study: a lock that ends with the process that holds it, however that ends."""

import fcntl
import os
from pathlib import Path

from slidecaf.errors import SlidecafError

HELD = "SLIDECAF_LOCKED"
"""Environment variable: the study that the parent process has locked for us."""


def lock_study(folder):
    """Lock a study for as long as the file returned is open here, or in a process that it is handed to.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    file object

    Raises
    ------
    SlidecafError
        If another run holds the lock, or the folder cannot be written to.
    """
    folder = Path(folder).resolve()
    try:
        (folder / ".snakemake").mkdir(exist_ok=True)
        lock = open(folder / ".snakemake" / "slidecaf.lock", "a")  # noqa: SIM115  open it is the lock
    except OSError as error:
        raise SlidecafError(f"{folder} cannot be written to ({error}); choose a study folder of your own.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SlidecafError(f"another run is at work in {folder}; wait until it ends, or end it.") from None
    return lock


def is_locked_for_us(folder):
    """Tell whether the process that started this one has locked the study.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    bool
    """
    return os.environ.get(HELD) == str(Path(folder).resolve())
