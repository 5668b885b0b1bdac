"""What a job says: a log file, a progress bar or lines, and errors a user can read."""

import logging
import sys
import time
from contextlib import contextmanager

from slidecaf.errors import SlidecafError
from slidecaf.running import watch

logger = logging.getLogger("slidecaf")

TOLD_EVERY = 1.0
"""Seconds between what a job tells a watcher."""


class _Told(logging.Handler):
    """Tells a watcher of the job's warnings, of its error, and of how far it is."""

    def __init__(self, log):
        super().__init__(logging.WARNING)
        self._log, self.state = str(log), {"warnings": []}

    def emit(self, record):
        if record.levelno >= logging.ERROR:
            self.tell(error=record.getMessage(), fault=bool(record.exc_info))
        else:
            self.tell(warnings=[*self.state["warnings"], record.getMessage()])

    def tell(self, **more):
        self.state |= more
        watch.tell(self._log, self.state)


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
        With code 1 after a `SlidecafError`. Anything else is a fault of slidecaf: its traceback goes into
        the log, and it is raised.
    """
    handler = _LogFile(log, mode="w", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    told = _Told(log)
    logger.addHandler(handler)
    logger.addHandler(told)
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)
    try:
        yield
    except SlidecafError as error:
        logger.error("%s", error)
        sys.exit(1)
    except Exception:
        logger.exception("This is a fault in slidecaf, not in your data; please report it with this log.")
        raise
    finally:
        logger.removeHandler(handler)
        logger.removeHandler(told)
        logging.getLogger("py.warnings").removeHandler(handler)
        handler.close()


@contextmanager
def progress(total, label, *, unit="patches", every=30.0):
    """Show how far a job is: a line every half minute in its log, and a bar on a terminal that no watcher has.

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
    bar = None
    if sys.stderr.isatty() and not watch.watched():
        from tqdm import tqdm

        bar = tqdm(total=total, desc=label, unit=f" {unit}", leave=False)
    start = said = time.monotonic()
    shown, done = start, 0
    watchers = [handler for handler in logger.handlers if isinstance(handler, _Told)]

    def advance(count):
        nonlocal done, said, shown
        done += count
        if bar:
            bar.update(count)
        now = time.monotonic()
        if now - shown >= TOLD_EVERY or done == total:
            shown = now
            for watcher in watchers:
                watcher.tell(done=done, total=total, unit=unit)
        if now - said >= every:
            said = now
            rate = done / (now - start)
            logger.info(
                "%s: %d of %d %s, %.0f a second, %.0f s left", label, done, total, unit, rate, (total - done) / rate
            )

    try:
        yield advance
    finally:
        if bar:
            bar.close()
    seconds = max(time.monotonic() - start, 1e-9)
    logger.info("%s: %d %s in %.1f s, %.0f a second", label, done, unit, seconds, done / seconds)
