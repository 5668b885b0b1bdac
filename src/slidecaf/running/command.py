"""How a run was started, for the report."""

import os
import shlex
import subprocess
from collections.abc import Sequence


def commit_of(folder) -> str:
    """Return which commit a clone is at.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    str
        Empty where there is no git, or the folder is no clone.
    """
    try:
        asked = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603  no shell reads it
    except OSError:
        return ""


def command_line(arguments: Sequence[str], clone) -> str:
    """Return how Snakemake was called, without the places of clone and study. Jobs inherit it.

    Parameters
    ----------
    arguments : sequence of str
        Those of the process.
    clone : path-like
        The folder of the Snakefile.

    Returns
    -------
    str
    """
    clone, study = os.path.abspath(clone), os.getcwd()
    said = ["." if word == clone else word.replace(f"{clone}/", "").replace(study, "STUDY") for word in arguments]
    return os.environ.setdefault("SLIDECAF_COMMAND", shlex.join(["snakemake", *said]))
