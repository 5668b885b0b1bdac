"""The time and memory of jobs, from Snakemake's benchmark files; they have no checksum, since Snakemake writes them."""

import csv
import time
from collections.abc import Iterable
from pathlib import Path

from slidecaf.files.manifests import LATENCY, left_some_alone


def read_benchmark(path) -> list[dict]:
    """Read a benchmark file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of dict
        A row a repeat: Snakemake's columns as text, such as ``s`` and ``max_rss``.
    """
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def measured(text) -> float | None:
    """Return a number of a benchmark file, or None where Snakemake measured nothing.

    Parameters
    ----------
    text : str or None

    Returns
    -------
    float or None
    """
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def cost_of(jobs: Iterable) -> dict:
    """Sum up what some jobs cost.

    Parameters
    ----------
    jobs : iterable of (path-like, path-like)
        Of each job a file that it makes, its manifest where it has one, and its benchmark file.

    Returns
    -------
    dict
        seconds : of the clock, summed over the jobs. None where there are no jobs, where a job's benchmark file is
            gone, or where it is that of a rerun which left files of its batch alone: the time of the whole is then
            not known.
        memory_gib : the peak of the largest job, in GiB. None as seconds, or where no job lived long enough to be
            measured.
    """
    seconds, memory = [], []
    for made, benchmark in jobs:
        rows = read_benchmark(benchmark) if not left_some_alone(made) and _is_there(benchmark, made) else []
        if not rows or any(measured(row.get("s")) is None for row in rows):
            return {"seconds": None, "memory_gib": None}
        seconds += [measured(row["s"]) for row in rows]
        memory += [value for row in rows if (value := measured(row.get("max_rss"))) is not None]
    return {
        "seconds": round(sum(seconds), 1) if seconds else None,
        "memory_gib": round(max(memory) / 1024, 3) if memory else None,
    }


def _is_there(benchmark, made):
    """Tell whether a benchmark file is there; one of a fresh job may come to be seen after what the job made."""
    while not Path(benchmark).is_file():
        if not Path(made).is_file() or time.time() > Path(made).stat().st_mtime + LATENCY:
            return False
        time.sleep(0.5)
    return True
