"""What every benchmark prints: rows of a stage, what it is held against, a ratio with its spread, and a goal.

A script measures both sides in one process, in turn, several times, and hands the ratios to `Row`. `make bench` runs
the scripts and puts their rows into one table.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

MARK = "bench-row "
"""Begins a line that holds a row for `make bench`."""


@dataclass(frozen=True)
class Row:
    """One claim.

    Attributes
    ----------
    stage, against : str
        The two sides.
    values : sequence of float
        One a repetition, mostly ratios; the median counts.
    goal : float or None
        None where the figure is only reported.
    at_least : bool
        Whether the goal is the least or the most that holds.
    unit : str
        Behind the figures.
    """

    stage: str
    against: str
    values: Sequence[float]
    goal: float | None = None
    at_least: bool = True
    unit: str = "x"

    @property
    def median(self):
        """Of the repetitions."""
        return statistics.median(self.values)

    @property
    def holds(self):
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.median >= self.goal if self.at_least else self.median <= self.goal

    def text(self):
        """Return the row as a line."""
        spread = f" ({min(self.values):.3g} to {max(self.values):.3g})" if len(self.values) > 1 else ""
        goal = "reported" if self.goal is None else f"{'at least' if self.at_least else 'at most'} {self.goal:g}"
        verdict = {True: "holds", False: "FALLS SHORT", None: ""}[self.holds]
        return f"{self.stage} | {self.against} | {self.median:.3g}{spread} {self.unit} | {goal} | {verdict}"


def in_turn(ours, other, *, repeats):
    """Time two sides alternately, each once before that does not count.

    Parameters
    ----------
    ours, other : callable
    repeats : int

    Returns
    -------
    list of float
        How many times as long the other side took, one a repetition.
    """
    ours(), other()
    return [seconds(other) / seconds(ours) for _ in range(repeats)]


def seconds(call):
    """Return the seconds that a call took."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def report(*rows):
    """Print rows, for a reader and for `make bench`, and end the process: 1 where one falls short.

    Parameters
    ----------
    *rows : Row
    """
    for row in rows:
        print(row.text(), flush=True)
    if os.environ.get("SLIDECAF_BENCH"):
        for row in rows:
            print(MARK + json.dumps(asdict(row)), flush=True)
    sys.exit(any(row.holds is False for row in rows))
