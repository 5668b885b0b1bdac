"""How far a run is: jobs, slides, patches a second, time left, and what failed. Knows nothing of Snakemake."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from slidecaf import watch

WINDOW = 60.0
"""Seconds over which patches a second are counted."""

SUMMARY = "run.json"
"""The file of a run's summary, in the folder where jobs tell how far they are."""

NOT_COUNTED = {"all"}
"""Rules without work of their own."""


@dataclass
class Job:
    """A job that was started.

    Attributes
    ----------
    rule : str
    wildcards : dict of str to str
    log : str
        Empty where it has none.
    cluster_log : str
        What a cluster wrote of its failure; empty on one machine, and where it has not failed.
    started : float
        On the clock.
    told : dict
        What it told last, see `slidecaf.watch`.
    """

    rule: str
    wildcards: dict
    log: str
    started: float
    told: dict = field(default_factory=dict)
    cluster_log: str = ""

    @property
    def name(self):
        """What the job does, for a person."""
        return job_name(self.rule, self.wildcards)


def job_name(rule, wildcards):
    """Name a job.

    Parameters
    ----------
    rule : str
    wildcards : mapping of str to str

    Returns
    -------
    str
        Such as ``features of slide gbm-01 (cnn-336)``.
    """
    rest = [value for key, value in wildcards.items() if key != "slide"]
    of = f" of slide {wildcards['slide']}" if "slide" in wildcards else ""
    return f"{rule}{of}{' (' + ', '.join(rest) + ')' if rest else ''}"


class RunState:
    """The state of a run, kept by its events.

    Parameters
    ----------
    folder : path-like or None
        Where jobs tell how far they are; None where nobody asked them to.
    clock : callable, optional
        Returns seconds.

    Attributes
    ----------
    planned : Counter of str
        Jobs by rule.
    done : Counter of str
        Those that ended well.
    running : dict of int to Job
    failures : list of Job
        Those that are not being tried again.
    warnings : list of (str, str)
        A job's name and what it warned of.
    """

    def __init__(self, folder=None, *, clock=time.monotonic):
        self._folder, self._clock = folder, clock
        self.planned, self.done, self.running = Counter(), Counter(), {}
        self.failures, self.warnings = [], []
        self._begun, self._seconds = clock(), Counter()
        self._patches, self._seen = 0, deque()

    def plan(self, stats):
        """Take the plan: jobs by rule, and their total, which is left out."""
        self.planned = Counter({rule: n for rule, n in stats.items() if rule not in {"total", *NOT_COUNTED}})

    def start(self, number, rule, wildcards, logs):
        """Take a job's start, its first or another after a failure."""
        if rule not in NOT_COUNTED:
            job = self.running[number] = Job(rule, wildcards, logs[0] if logs else "", self._clock())
            self.failures = [failed for failed in self.failures if failed.name != job.name]

    def finish(self, number):
        """Take a job's end."""
        job = self.running.get(number)
        if job:
            self._ask(job)
            del self.running[number]
            self.done[job.rule] += 1
            self._seconds[job.rule] += self._clock() - job.started
            self.warnings += [(job.name, said) for said in job.told.get("warnings", [])]

    def fail(self, number, rule, logs):
        """Take a job's failure.

        Parameters
        ----------
        number : int
        rule : str
        logs : list of str
            The job's own, and after it the cluster's where it ran on one.

        Returns
        -------
        str
            A line that says so.
        """
        job = self.running.pop(number, None) or Job(rule, {}, logs[0] if logs else "", self._clock())
        self._ask(job)
        job.cluster_log = next((log for log in logs if log != job.log), "")
        self.failures.append(job)
        return f"failed: {job.name}; the other jobs go on"

    def look(self):
        """Ask the running jobs how far they are."""
        for job in self.running.values():
            self._ask(job)
        now = self._clock()
        self._seen.append((now, self._patches))
        while self._seen[0][0] < now - WINDOW:
            self._seen.popleft()

    def _ask(self, job):
        if self._folder and job.log:
            before, job.told = job.told, watch.told(self._folder, job.log) or job.told
            if job.told.get("unit") == "patches":
                self._patches += job.told["done"] - before.get("done", 0)

    @property
    def rate(self):
        """Patches a second over the last minute; 0 where none are computed."""
        if len(self._seen) < 2:
            return 0.0
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return (after - before) / max(end - start, 1e-9)

    @property
    def left(self):
        """Seconds that are left, and whether that is all.

        Returns
        -------
        seconds : float or None
            None where no job has ended yet.
        whole : bool
            False where there are rules of which no job has ended: the time is the least then.
        """
        known, left, now = dict(self._seconds), 0.0, self._clock()
        mean = {rule: seconds / self.done[rule] for rule, seconds in known.items()}
        for job in self.running.values():
            if job.rule not in mean and job.told.get("done"):  # how far it is tells how long it takes
                mean[job.rule] = (now - job.started) * job.told["total"] / job.told["done"]
        waiting = {rule: count - self.done[rule] for rule, count in self.planned.items() if count > self.done[rule]}
        for rule, count in waiting.items():
            spent = sum(min(now - job.started, mean.get(rule, 0)) for job in self.running.values() if job.rule == rule)
            left += max(0.0, count * mean.get(rule, 0) - spent)
        if not mean:
            return None, False
        worked = sum(known.values()) + sum(now - job.started for job in self.running.values())
        side_by_side = max(1.0, worked / max(now - self._begun, 1e-9))
        return left / side_by_side, all(rule in mean for rule in waiting)

    @property
    def line(self):
        """How far the run is, in a line, without the count of jobs."""
        rules = Counter(job.rule for job in self.running.values())
        parts = [f"{rule} {self.done[rule] + 1} of {self.planned[rule]}" for rule in rules]
        if self.rate >= 1:
            parts.append(f"{self.rate:,.0f} patches/s")
        seconds, whole = self.left
        if seconds is not None and seconds >= 1 and self.running:
            parts.append(f"{'' if whole else 'at least '}{duration(seconds)} left")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        return ", ".join(parts)

    def summary(self):
        """Return what is known at the end, for `make run`.

        Returns
        -------
        dict
            ``jobs``, ``done``, ``failures`` (name, rule, log, error, and fault: whether it is slidecaf's own) and
            ``warnings`` (name, text).
        """
        return {
            "jobs": self.planned.total(),
            "done": self.done.total(),
            "failures": [
                {"name": job.name, "rule": job.rule, "log": job.log, "cluster_log": job.cluster_log}
                | {"error": job.told.get("error", ""), "fault": job.told.get("fault", False)}
                for job in self.failures
            ],
            "warnings": [{"name": name, "text": text} for name, text in self.warnings],
        }


def duration(seconds):
    """Say a time for a person.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str
        Such as ``40 s``, ``12 min`` or ``3 h 20 min``.
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
