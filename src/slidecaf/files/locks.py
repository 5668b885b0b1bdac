"""Locks on files, on file systems that have them and on those that have not."""

import errno
import fcntl

UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What file systems without locks answer: some network mounts, FUSE, containers."""


class NoLocks(Exception):
    """A file system without locks; the text is the system's reason."""


def try_lock(file) -> bool:
    """Lock an open file for this process alone, without waiting; the lock ends when the file is closed.

    Parameters
    ----------
    file : file object or int
        Open, or its descriptor.

    Returns
    -------
    bool
        False where another process holds the lock.

    Raises
    ------
    NoLocks
        If the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in UNSUPPORTED:
            raise NoLocks(error.strerror) from error
        raise
    return True
