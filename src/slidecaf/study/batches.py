"""Slides that share a job: one that is finished stays finished when the job is interrupted or another slide fails.

Snakemake deletes what an interrupted or failed job has written. Of each slide that is done, hard links are therefore
kept aside, under a name that says what the files were made from and how; the next attempt takes them up.
"""

import os
import secrets
import shutil
from pathlib import Path

from slidecaf.errors import SlidecafError
from slidecaf.files.fingerprints import value_digest
from slidecaf.logs import logger


def in_batches(slides, size):
    """Deal slides into batches in their order, so that a slide that is added last changes the last batch only.

    Parameters
    ----------
    slides : sequence of str
    size : int
        Slides of a batch, from 1; the last may have fewer.

    Returns
    -------
    list of list of str
    """
    return [list(slides[start : start + size]) for start in range(0, len(slides), size)]


def for_each(slides, work, *, keep, depends_on):
    """Do the work of a job slide by slide; a slide that fails does not stop the others.

    Parameters
    ----------
    slides : sequence of mapping
        Each has ``slide``, its id, and ``inputs`` and ``outputs``, lists of paths; the rest is for the work.
    work : callable
        Called with a slide, writes its outputs, each under its final name only when whole.
    keep : path-like
        The folder of what is kept aside, on the file system of the outputs. Nothing is kept of a single slide.
    depends_on : value
        What the work depends on beside the slide: numbers, text, lists and mappings.

    Raises
    ------
    SlidecafError
        After the others are done, if the work raised one for a slide. Any other exception is raised again, then too.
    """
    if len(slides) == 1:
        work(slides[0])
        return
    failed, fault = [], None
    for slide in slides:
        aside = Path(keep) / _key(slide, depends_on)
        if aside.is_dir():
            _take_up(aside, slide["outputs"])
            logger.info("%s: was done before this job was interrupted", slide["slide"])
            continue
        try:
            work(slide)
        except SlidecafError as error:
            logger.error("%s", error)
            failed.append(slide["slide"])
        except Exception as error:
            logger.exception("%s: this is a fault in slidecaf; please report it with this log.", slide["slide"])
            failed.append(slide["slide"])
            fault = fault or error
        else:
            _keep(aside, slide["outputs"])
    if fault:
        raise fault
    if failed:
        raise SlidecafError(
            f"{len(failed)} of the {len(slides)} slides of this job failed ({', '.join(failed)}); "
            "mend what is said of them above and run again, the others are kept."
        )


def forget(keep):
    """Delete what is kept aside: all that it was kept for is done.

    Parameters
    ----------
    keep : path-like
        As `for_each` had it; it may be missing.
    """
    if Path(keep).is_dir():
        shutil.rmtree(keep)


def _key(slide, depends_on):
    inputs = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in slide["inputs"]]
    return value_digest([dict(slide), inputs, depends_on])


def _keep(aside, outputs):
    """Link outputs into a folder that gets its name when all are there."""
    partial = aside.with_name(f".{aside.name}.{secrets.token_hex(4)}")
    partial.mkdir(parents=True)
    try:
        for number, path in enumerate(outputs):
            os.link(path, partial / str(number))
        partial.rename(aside)
    except OSError as error:
        shutil.rmtree(partial)
        logger.warning("%s cannot be kept for an interrupted job: %s", outputs[0], error)


def _take_up(aside, outputs):
    for number, path in enumerate(outputs):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).unlink(missing_ok=True)
        os.link(aside / str(number), path)
        os.utime(path)  # newer than every input, as what a job makes has to be
