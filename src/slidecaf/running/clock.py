"""Results dated in the future: the clock stood wrong when they were made, and was set back since.

Snakemake takes what is made now from such a result for older than it, and fails the job: nothing can be made until
the clock has caught up.
"""

import os
import time
from pathlib import Path

MARKS = ("incomplete", "metadata")
"""Folders of ``.snakemake`` that change with every job: by their times we see, without a look at every result."""

STEP = 1000
"""Nanoseconds between two times: network file systems keep microseconds."""


def date_anew(study, results):
    """Give results that are dated in the future times just past, in the order of their old ones.

    Parameters
    ----------
    study : path-like
        The study's folder.
    results : path-like
        Its results.

    Returns
    -------
    int
        How many there were.
    """
    now = time.time_ns()
    marks = [Path(study) / ".snakemake" / mark for mark in MARKS]
    marks = [mark for mark in marks if mark.is_dir() and mark.stat().st_mtime_ns > now]
    if not marks:
        return 0
    files = [Path(folder) / name for folder, _, names in os.walk(results) for name in names]
    future = {path: made for path in files if (made := path.lstat().st_mtime_ns) > now}
    # what was made at one time stays so: neither is newer
    order = {made: place for place, made in enumerate(sorted({*future.values()}, reverse=True))}
    for path, old in future.items():
        _date(path, now - STEP * order[old])
    for mark in marks:
        _date(mark, now)
    return len(future)


def _date(path, made):
    os.utime(path, ns=(made, made), follow_symlinks=False)
