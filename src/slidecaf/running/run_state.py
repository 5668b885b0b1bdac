"""How far a run is: jobs, slides, patches a second, time left, and what failed. Knows nothing of Snakemake."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from slidecaf.running import watch

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
        The rule's name; of several slides that share a job, followed by what they are about and a number.
    wildcards : dict of str to str
        Empty where slides share a job.
    logs : list of str
        One a slide; empty where it has none.
    started : float
        On the clock.
    told : dict of str to dict
        What it told last, by log, see `slidecaf.running.watch`.
    cluster_log : str
        What a cluster wrote of its failure; empty on one machine, and where it has not failed.
    """

    rule: str
    wildcards: dict
    logs: list
    started: float
    told: dict = field(default_factory=dict)
    cluster_log: str = ""

    @property
    def kind(self):
        """The rule, however many slides share a job."""
        return kind(self.rule)

    @property
    def name(self):
        """What the job does, for a person."""
        return job_name(self.rule, self.wildcards, len(self.logs))

    @property
    def share(self):
        """How much of it is done, from 0 to 1, as far as it tells."""
        told = [state["done"] / state["total"] for state in self.told.values() if state.get("total")]
        return sum(told) / max(len(self.logs), 1)

    @property
    def patches(self):
        """How many patches it has computed."""
        return sum(state["done"] for state in self.told.values() if state.get("unit") == "patches")


def kind(rule):
    """Return the rule of a job, however many slides share it.

    Parameters
    ----------
    rule : str
        Such as ``features``, or ``features-cnn-336-0``.

    Returns
    -------
    str
    """
    return rule.partition("-")[0]


def job_name(rule, wildcards, slides=1):
    """Name a job.

    Parameters
    ----------
    rule : str
    wildcards : mapping of str to str
    slides : int, optional
        How many share it.

    Returns
    -------
    str
        Such as ``features of slide gbm-01 (cnn-336)``, or ``features of 11 slides (cnn-336)``.
    """
    rest = [value for key, value in wildcards.items() if key != "slide"]
    of = f" of slide {wildcards['slide']}" if "slide" in wildcards else ""
    if kind(rule) != rule:
        of = f" of {slides} slide{'s' * (slides != 1)}"
        rest = ["-".join(rule.split("-")[1:-1])]
    return f"{kind(rule)}{of}{' (' + ', '.join(rest) + ')' if any(rest) else ''}"


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
        self.planned = Counter()
        for rule, count in stats.items():
            if rule not in {"total", *NOT_COUNTED}:
                self.planned[kind(rule)] += count

    def start(self, number, rule, wildcards, logs):
        """Take a job's start, its first or another after a failure."""
        if rule not in NOT_COUNTED:
            self.running[number] = Job(rule, wildcards, logs, self._clock())
            others = [failed for failed in self.failures if (failed.rule, failed.wildcards) != (rule, wildcards)]
            if len(others) < len(self.failures):
                self.failures = others
                for log in logs if self._folder else []:
                    watch.forget(self._folder, log)

    def finish(self, number):
        """Take a job's end."""
        job = self.running.get(number)
        if job:
            self._ask(job)
            del self.running[number]
            self.done[job.kind] += 1
            self._seconds[job.kind] += self._clock() - job.started
            for told in job.told.values():
                self.warnings += [(job.name, said) for said in told.get("warnings", [])]

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
        job = self.running.pop(number, None) or Job(rule, {}, logs, self._clock())
        self._ask(job)
        job.cluster_log = next((log for log in logs if log not in job.logs), "")
        self.failures.append(job)
        return f"failed: {job.name}; the other jobs go on"

    def look(self):
        """Ask the running jobs how far they are."""
        for job in self.running.values():
            self._ask(job, whole=False)
        now = self._clock()
        self._seen.append((now, self._patches))
        while self._seen[0][0] < now - WINDOW:
            self._seen.popleft()

    def _ask(self, job, whole=True):
        """Ask a job: all of it at its end, before that the slide that it is at, for there may be many."""
        before = job.patches
        for log in job.logs if self._folder else []:
            if not whole and _is_over(job.told.get(log, {})):
                continue
            if told := watch.told(self._folder, log):
                job.told[log] = told
            elif not whole:
                break
        self._patches += job.patches - before

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
            if job.kind not in mean and job.share:  # how far it is tells how long it takes
                mean[job.kind] = (now - job.started) / job.share
        waiting = {rule: count - self.done[rule] for rule, count in self.planned.items() if count > self.done[rule]}
        for rule, count in waiting.items():
            spent = sum(min(now - job.started, mean.get(rule, 0)) for job in self.running.values() if job.kind == rule)
            left += max(0.0, count * mean.get(rule, 0) - spent)
        if not mean:
            return None, False
        worked = sum(known.values()) + sum(now - job.started for job in self.running.values())
        side_by_side = max(1.0, worked / max(now - self._begun, 1e-9))
        return left / side_by_side, all(rule in mean for rule in waiting)

    @property
    def line(self):
        """How far the run is, in a line, without the count of jobs."""
        rules = Counter(job.kind for job in self.running.values())
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
            ``jobs``, ``done``, ``failures`` (name, rule, log, cluster_log, error, and fault: whether it is slidecaf's
            own) and ``warnings`` (name, text).
        """
        return {
            "jobs": self.planned.total(),
            "done": self.done.total(),
            "failures": [_failure(job) for job in self.failures],
            "warnings": [{"name": name, "text": text} for name, text in self.warnings],
        }


def _is_over(told):
    """Tell whether a slide's part of a job has come to its end."""
    return "error" in told or 0 < told.get("total", 0) == told.get("done")


def _failure(job):
    """Describe a failure: of slides that share a job the errors of all, and the log of the first."""
    failed = {log: told for log, told in job.told.items() if "error" in told}
    return {
        "name": job.name,
        "rule": job.kind,
        "log": next(iter(failed), job.logs[0] if job.logs else ""),
        "cluster_log": job.cluster_log,
        "error": "\n".join(told["error"] for told in failed.values()),
        "fault": any(told["fault"] for told in failed.values()),
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
