"""Files written beside their place, flushed and renamed: nothing half-written is ever seen under a final name."""

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path

from slidecaf.errors import SlidecafError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

NO_LEAVE = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def atomic(path, *, named=None):
    """Give a temporary path beside `path`; on success flush it to disk and rename it to `path`.

    Parameters
    ----------
    path : path-like
        The final name. Its folder is made where it is missing.
    named : path-like, optional
        The file that errors name, where it is another.

    Yields
    ------
    pathlib.Path
        Write here. The name starts with a dot and keeps the suffix, which some writers look at. What an
        earlier, killed writer of the same file left is removed first.

    Raises
    ------
    SlidecafError
        If there is no room for the file, or its folder cannot be written to.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".{_escape(path.stem)}.{'[0-9a-f]' * 8}.partial{_escape(path.suffix)}"):
            stale.unlink(missing_ok=True)
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    except BaseException as error:
        if not isinstance(error, SlidecafError) and (reason := refused(error, path.parent)):
            raise SlidecafError(f"{named or path} cannot be written: {reason}") from error
        raise
    finally:
        with suppress(OSError):  # of a folder that cannot be written to, which is what the error above is about
            partial.unlink(missing_ok=True)


def _escape(name):
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def refused(error, folder):
    """Tell why the system did not let a file be written.

    Parameters
    ----------
    error : BaseException
    folder : path-like
        Where the file would be.

    Returns
    -------
    str or None
        The reason and what to do; None for any other error.
    """
    for code in (*NO_ROOM, *NO_LEAVE):
        # HDF5 says it in words only when a file is closed
        if getattr(error, "errno", None) == code or os.strerror(code) in str(error):
            said = os.strerror(code)[0].lower() + os.strerror(code)[1:]
            if code in NO_ROOM:
                return f"{said}; free some space there, or have your quota raised, and run again."
            return f"{said}; make {folder} writable, or choose other results in the config, and run again."
    return None


def _flush(path):
    """Wait until a file, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Some network file systems refuse to sync a folder; the rename itself is still whole there.
        with suppress(OSError) if path.is_dir() else _nothing():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _nothing():
    yield
