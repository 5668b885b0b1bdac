"""What a job says: a log file, a progress bar or lines, errors a user can read, and how far it is.

`slidecaf run` names a folder in the environment (`WATCH`). There each job keeps a small JSON file of what it has to
tell, which `slidecaf.running.progress` reads. These files are no results: without a watcher none is written, and
losing one loses a number on a screen.
"""

import hashlib
import json
import logging
import os
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from slidecaf.errors import SlidecafError

logger = logging.getLogger("slidecaf")

WATCH = "SLIDECAF_WATCH"
"""Environment variable: the folder in which jobs tell how far they are, an absolute path that all of them reach."""

TOLD_EVERY = 1.0
"""Seconds between what a job tells."""


def told_path(folder, log) -> Path:
    """Return the file in which a job tells how far it is.

    Parameters
    ----------
    folder : path-like
        That of the environment variable `WATCH`.
    log : str
        The job's log file, by which it is known.
    """
    return Path(folder) / f"{hashlib.sha256(str(log).encode()).hexdigest()[:24]}.json"


def tell(log, state) -> None:
    """Replace what a job has told.

    Parameters
    ----------
    log : str
        The job's log file.
    state : mapping
        ``share`` of the job that is done (0 to 1), ``patches`` that it has computed, ``warnings`` and ``errors`` (lists
        of texts), and ``fault``: whether an error is slidecaf's own.
    """
    path = told_path(os.environ[WATCH], log)
    partial = path.with_suffix(".partial")
    with suppress(OSError):  # a full disk is told of by what the job writes; here a number on a screen is lost
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(path)


class _Told(logging.Handler):
    """Tells of a job's warnings and errors, and of how far it is."""

    def __init__(self, log):
        super().__init__(logging.WARNING)
        self._log, self._last = str(log), 0.0
        self._state = {"share": 0.0, "patches": 0, "warnings": [], "errors": [], "fault": False}
        self.counts = []  # done and total: those of a slide behind those of the slides

    def emit(self, record):
        kind = "errors" if record.levelno >= logging.ERROR else "warnings"
        self._state[kind].append(record.getMessage())
        self._state["fault"] |= kind == "errors" and bool(record.exc_info)
        self.tell()

    def advance(self, patches):
        share = 0.0
        for done, total in reversed(self.counts):
            share = min((done + share) / max(total, 1), 1.0)
        self._state |= {"share": share, "patches": self._state["patches"] + patches}
        if time.monotonic() - self._last >= TOLD_EVERY:
            self.tell()

    def tell(self):
        self._last = time.monotonic()
        tell(self._log, self._state)


class _LogFile(logging.FileHandler):
    """A log file; what it cannot take, such as that the disk is full, is said on the terminal."""

    def handleError(self, record):
        print(self.format(record), file=sys.stderr)


@contextmanager
def job(log):
    """Run a script's work with its log; show a user's error as one line and end with exit code 1.

    Parameters
    ----------
    log : path-like
        The log file; what an earlier attempt wrote is replaced.

    Raises
    ------
    SystemExit
        With code 1 after a `SlidecafError`, or where memory ran out. Anything else is a fault of slidecaf: its
        traceback goes into the log, and it is raised.
    """
    handler = _LogFile(log, mode="w", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    told = _Told(log) if os.environ.get(WATCH) else None
    logger.addHandler(handler)
    if told:
        logger.addHandler(told)
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)
    try:
        yield
    except SlidecafError as error:
        logger.error("%s", error)
        sys.exit(1)
    except MemoryError:
        logger.error("there is not enough memory for this job; give it more, or run fewer jobs at a time.")
        sys.exit(1)
    except Exception:
        logger.exception("This is a fault in slidecaf, not in your data; please report it with this log.")
        raise
    finally:
        if told:
            told.tell()
            logger.removeHandler(told)
        logger.removeHandler(handler)
        logging.getLogger("py.warnings").removeHandler(handler)
        handler.close()


@contextmanager
def progress(total, label, *, unit="patches", every=30.0):
    """Show how far a job is: a line every half minute in its log, and a bar on a terminal that no watcher has.

    A job of several slides counts these in an outer `progress`, and the patches of each in an inner one.

    Parameters
    ----------
    total : int
    label : str
        What is being done, such as a slide's id.
    unit : str, optional
        What is counted.
    every : float, optional
        Seconds between lines.

    Yields
    ------
    callable
        Call it with the number of units just done.
    """
    bar, counted = None, [0, total]
    if sys.stderr.isatty() and not os.environ.get(WATCH):
        from tqdm import tqdm

        bar = tqdm(total=total, desc=label, unit=f" {unit}", leave=False)
    told = next((handler for handler in logger.handlers if isinstance(handler, _Told)), None)
    if told:
        told.counts.append(counted)
    start = said = time.monotonic()

    def advance(count):
        nonlocal said
        counted[0] += count
        if bar:
            bar.update(count)
        if told:
            told.advance(count if unit == "patches" else 0)
        now = time.monotonic()
        if now - said >= every:
            said = now
            rate = counted[0] / (now - start)
            left = (total - counted[0]) / rate
            logger.info("%s: %d of %d %s, %.0f a second, %.0f s left", label, counted[0], total, unit, rate, left)

    try:
        yield advance
    finally:
        if bar:
            bar.close()
        if told:
            told.counts.pop()
    seconds = max(time.monotonic() - start, 1e-9)
    logger.info("%s: %d %s in %.1f s, %.0f a second", label, counted[0], unit, seconds, counted[0] / seconds)
