"""What went wrong with a file: it is not there, the machine does not give it, or what stands in it is damaged.

Who is told that a file is damaged deletes it or takes another copy. That is the worst advice where a disk does not
answer, where leave is missing, or where memory or open files ran out: the file may be good.
"""

import errno
import os
import re
import stat

from slidecaf.errors import MachineError, SlidecafError

NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

BY_CONTENTS = (errno.EINVAL, errno.EOVERFLOW, errno.EFBIG, errno.ERANGE, errno.EDOM, errno.EILSEQ, errno.ESPIPE)
"""Errors of the system to which numbers in a damaged file lead: a place before its start, a size beyond any file."""

SAID = (errno.EIO, errno.EACCES, errno.EPERM, errno.ENOLCK, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE)
"""Errors of the system that libraries hand on in words only."""

TO_DO = {
    errno.EACCES: "make it readable for yourself and run again",
    errno.EPERM: "make it readable for yourself and run again",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and run again",
    errno.ENFILE: "close programs with many open files and run again",
    errno.EISDIR: "put the file in the folder's place",
}
DISK = "see whether its disk answers and run again"
MEMORY = "give the job more memory, or run fewer jobs at a time"


def machine_fault(error) -> tuple[str, str] | None:
    """Tell whether the machine, and not what stands in a file, is to blame for an error.

    Parameters
    ----------
    error : BaseException
        Of the system or of a library; also what it was raised from is looked at.

    Returns
    -------
    (str, str) or None
        The reason, and what to do. None for a file that is not there or damaged.

    Examples
    --------
    >>> machine_fault(OSError(5, "Input/output error"))
    ('Input/output error', 'see whether its disk answers and run again')
    >>> machine_fault(ValueError("no such tile")) is None
    True
    """
    while error is not None:
        code = _code(error)
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or code == errno.ENOMEM:
            return "there is not enough memory", MEMORY
        if code is not None:
            return os.strerror(code), TO_DO.get(code, DISK)
        error = error.__cause__
    return None


def _code(error):
    """Return the number of the machine's fault that an error stands for, or None."""
    if isinstance(error, OSError) and error.errno:
        code = error.errno
    elif said := re.search(r"\berrno = (\d+)", str(error)):  # HDF5, where it reads a part of a file
        code = int(said[1])
    else:
        text = str(error)
        if os.strerror(errno.ENOMEM) in text or "can't allocate memory" in text:  # the latter is torch's
            return errno.ENOMEM
        return next((code for code in SAID if os.strerror(code) in text), None)
    return None if code in (0, *NOT_THERE, *BY_CONTENTS) else code


def unread(path, error, *, damaged="delete it and run again", of="") -> SlidecafError:
    """Return the error of a file that could not be read: missing, not given by the machine, or damaged.

    Parameters
    ----------
    path : path-like
    error : BaseException
    damaged : str, optional
        What to do with a damaged file.
    of : str, optional
        What the file belongs to, in front of its path, such as ``"slide a: "``.

    Returns
    -------
    SlidecafError
        A `MachineError` where the file may be good.
    """
    if fault := machine_fault(error):
        reason, todo = fault
        return MachineError(f"{of}{path} cannot be read ({reason}): {todo}; the file may be good.")
    if isinstance(error, OSError) and not os.path.lexists(path):
        return SlidecafError(f"{of}{path} is missing; run again, and it is made anew.")
    return SlidecafError(f"{of}{path} is damaged ({reason_of(error)}); {damaged}.")


def reason_of(error) -> str:
    """Return what an error says, without a full stop, or its kind where it says nothing.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
    """
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def is_file(path) -> bool:
    """Tell whether a file is there, as ``os.path.isfile``, which says no also where a disk does not answer.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    bool

    Raises
    ------
    MachineError
        If the machine does not tell.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except ValueError:  # a NUL in its name
        return False
    except OSError as error:
        if machine_fault(error):
            raise unread(path, error) from error
        return False
