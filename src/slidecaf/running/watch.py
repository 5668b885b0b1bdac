"""What a job tells whoever watches the run, by a small file: how far it is, its warnings and its error.

`make run` names a folder in the environment and shows what the jobs put there; without a watcher nothing is written.
The files are no results: they last as long as the run, and losing one loses a number on a screen.
"""

import hashlib
import json
import os
from pathlib import Path

FOLDER = "SLIDECAF_WATCH"
"""The environment's variable with the folder, an absolute path that all jobs reach."""


def watched():
    """Tell whether a watcher shows this run.

    Returns
    -------
    bool
    """
    return bool(os.environ.get(FOLDER))


def tell(log, state):
    """Replace what is known of a job.

    Parameters
    ----------
    log : str
        The job's log file, by which it is known.
    state : mapping
        What JSON can hold.
    """
    if watched():
        path = _path(os.environ[FOLDER], log)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(path)


def told(folder, log):
    """Return what a job has told.

    Parameters
    ----------
    folder : path-like
    log : str
        As in `tell`.

    Returns
    -------
    dict
        Empty where it has told nothing.
    """
    try:
        return json.loads(_path(folder, log).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def forget(folder, log):
    """Forget what an earlier attempt at a job has told.

    Parameters
    ----------
    folder : path-like
    log : str
        As in `tell`.
    """
    _path(folder, log).unlink(missing_ok=True)


def _path(folder, log):
    return Path(folder) / f"{hashlib.sha256(str(log).encode()).hexdigest()[:24]}.json"
