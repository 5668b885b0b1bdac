"""Which device an extraction runs on, and that no two run on one GPU."""

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import torch

from slidecaf.errors import SlidecafError
from slidecaf.files.locks import NoLocks, try_lock
from slidecaf.logs import logger

OTHERWISE = (
    "set TMPDIR to a folder of your own on a local disk, or CUDA_VISIBLE_DEVICES to the GPU that extractions may use"
)
"""What to do where a GPU's lock cannot be had."""


@contextmanager
def device(*, wait=1.0):
    """Hold a device for the length of a block: a GPU where there is one, otherwise the CPU.

    A scheduler that gives a job its GPU sets ``CUDA_VISIBLE_DEVICES`` to that one, which is taken as given. Where
    several are visible, of a workstation or of an allocation that jobs share, each has a lock on this machine, and the
    first free one is taken.

    Parameters
    ----------
    wait : float, optional
        Seconds between looks while every GPU is taken.

    Yields
    ------
    torch.device
    """
    if not torch.cuda.is_available():
        yield torch.device("cpu")
    elif os.environ.get("CUDA_VISIBLE_DEVICES") and torch.cuda.device_count() == 1:
        yield torch.device("cuda", 0)
    else:
        with lock_one(_cards(), wait=wait) as index:
            yield torch.device("cuda", index)


def _cards():
    """Return the names of the visible GPUs, by which every process knows them, whatever number they have in it."""
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]


@contextmanager
def lock_one(cards, *, wait=1.0, folder=None):
    """Hold the lock of one of several GPUs, waiting while all are held by other processes.

    Parameters
    ----------
    cards : sequence of str
        Their names; one at least.
    wait : float, optional
        Seconds between looks.
    folder : path-like, optional
        Where the lock files are; the machine's folder for temporary files by default.

    Yields
    ------
    int
        Its place among `cards`. The lock ends with the block or with the process, however it ends.

    Raises
    ------
    SlidecafError
        If the folder has no locks, or a lock file cannot be made or opened.
    """
    folder = Path(folder or tempfile.gettempdir())
    said = False
    while True:
        for index, card in enumerate(cards):
            descriptor = _open_lock(folder / f"slidecaf-gpu-{card}.lock")
            try:
                if _is_taken(descriptor, folder):
                    continue
                yield index
                return
            finally:
                os.close(descriptor)
        if not said:
            logger.info("waiting for a free GPU: all %d are taken", len(cards))
            said = True
        time.sleep(wait)


def _open_lock(path):
    """Open a lock file, made by whoever came first: all users of a workstation share its GPUs."""
    try:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o644)
            os.fchmod(descriptor, 0o644)  # whatever the umask: the others have to open it too
            return descriptor
    except OSError as error:
        raise SlidecafError(f"{path}, the lock of a GPU, cannot be opened ({error.strerror}); {OTHERWISE}.") from error


def _is_taken(descriptor, folder):
    """Lock a file, or tell that another process has it."""
    try:
        return not try_lock(descriptor)
    except NoLocks as reason:
        raise SlidecafError(f"{folder} has no locks ({reason}), by which jobs share GPUs; {OTHERWISE}.") from reason
