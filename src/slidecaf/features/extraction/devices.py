"""Which device an extraction runs on, and that no two run on one GPU."""

import fcntl
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import torch

from slidecaf.logs import logger


@contextmanager
def device(*, wait=1.0):
    """Hold a device for the length of a block: a GPU where there is one, otherwise the CPU.

    A scheduler that gives jobs their GPUs sets ``CUDA_VISIBLE_DEVICES``; then the first visible device is
    taken as given. Otherwise each GPU has a lock on this machine, and the first free one is taken.

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
    elif os.environ.get("CUDA_VISIBLE_DEVICES"):
        yield torch.device("cuda", 0)
    else:
        with lock_one(torch.cuda.device_count()) as index:
            yield torch.device("cuda", index)


@contextmanager
def lock_one(count, *, wait=1.0, folder=None):
    """Hold one of `count` locks, waiting while all are held by other processes.

    Parameters
    ----------
    count : int
        The number of devices, from 1.
    wait : float, optional
        Seconds between looks.
    folder : path-like, optional
        Where the lock files are; the machine's folder for temporary files by default.

    Yields
    ------
    int
        The device's index. The lock ends with the block or with the process, however it ends.
    """
    folder = Path(folder or tempfile.gettempdir())
    said = False
    while True:
        for index in range(count):
            descriptor = _open_lock(folder / f"slidecaf-gpu-{index}.lock")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                yield index
                return
            finally:
                os.close(descriptor)
        if not said:
            logger.info("waiting for a free GPU: all %d are taken", count)
            said = True
        time.sleep(wait)


def _open_lock(path):
    """Open a lock file, made by whoever came first: all users of a workstation share its GPUs."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o644)
