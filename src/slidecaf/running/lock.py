"""One run a study: a lock that ends with the process that holds it, however that ends.

On a file system without locks a file that only one process can make stands in for it. That file stays where a run is
killed, and is never taken over by itself: two runs that do so at the same time would both go on.
"""

import atexit
import os
import platform
import sys
from pathlib import Path

from slidecaf.errors import SlidecafError
from slidecaf.files.locks import NoLocks, try_lock

HELD = "SLIDECAF_LOCKED"
"""Environment variable: the study that the parent process has locked for us."""


def lock_study(folder):
    """Lock a study for as long as what is returned is open here; use it in a ``with`` statement, or close it.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    file object or LockFile

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
        if try_lock(lock):
            return lock
    except NoLocks as reason:
        print(
            f"{folder} lies on a file system without locks ({reason}); {LockFile.NAME} there stands in for one.",
            file=sys.stderr,
        )
        lock.close()
        return LockFile(folder)
    except OSError as error:
        lock.close()
        raise SlidecafError(f"{folder} cannot be locked ({error}); see whether its disk answers.") from error
    lock.close()
    raise SlidecafError(
        f"another run is at work in {folder}, or a job that a killed one left behind; wait until it ends, or end it."
    )


class LockFile:
    """A lock without the file system's help: a file that says which process holds it, until it is closed.

    Parameters
    ----------
    folder : pathlib.Path
        The study's.

    Raises
    ------
    SlidecafError
        If the file is there.
    """

    NAME = ".snakemake/slidecaf.locked"

    def __init__(self, folder):
        self._path = folder / self.NAME
        self._own = f"process {os.getpid()} on {platform.node()}"
        try:
            with open(self._path, "x", encoding="utf-8") as file:
                file.write(self._own)
        except FileExistsError:
            holder = self._path.read_text(encoding="utf-8") or "a process that just began"
            raise SlidecafError(
                f"another run is at work in {folder} ({holder}); wait until it ends, or, where that process is gone, "
                f"delete {self._path}."
            ) from None
        atexit.register(self.close)  # of a plain snakemake, whose lock is held until it ends

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self) -> None:
        """Give the lock back, once: after that it may be another run's."""
        atexit.unregister(self.close)
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


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
