"""What a job says: a log file, a progress bar or lines, and errors a user can read."""

import logging
import sys
import time
from contextlib import contextmanager

from slidecaf.errors import SlidecafError

logger = logging.getLogger("slidecaf")


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
    logger.addHandler(handler)
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
        logging.getLogger("py.warnings").removeHandler(handler)
        handler.close()


@contextmanager
def progress(total, label, *, unit="patches", every=30.0):
    """Show how far a job is: a bar on a terminal, and a line every half minute in the log.

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
    if sys.stderr.isatty():
        from tqdm import tqdm

        bar = tqdm(total=total, desc=label, unit=f" {unit}", leave=False)
    start = said = time.monotonic()
    done = 0

    def advance(count):
        nonlocal done, said
        done += count
        if bar:
            bar.update(count)
        now = time.monotonic()
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
