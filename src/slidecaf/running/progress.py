"""How far a run is: jobs, patches a second, time left and what failed, kept by events and shown in one line.

Knows nothing of Snakemake: its logger plugin hands over what happens. Jobs tell the rest by `slidecaf.logs`.
"""

import json
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from slidecaf.logs import told_path

WINDOW = 60.0
"""Seconds over which patches a second are counted."""

EVERY = 10.0
"""Seconds between lines where there is no terminal."""

NOT_COUNTED = {"all", "total"}
"""Names among the plan's counts that are no work."""

RUNS = []
"""What was shown of runs in this process: Snakemake makes its logger itself and hands it to nobody."""


@dataclass
class Job:
    """A job that was started."""

    rule: str
    name: str  # what it does, for a person
    log: str
    started: float  # on the clock
    cluster_log: str = ""  # where it failed on a cluster
    told: dict = field(default_factory=dict)  # what it told last, see `slidecaf.logs.tell`

    @property
    def errors(self) -> list:
        """What it said of its failure; several where several slides share it."""
        return self.told.get("errors", [])

    @property
    def reason(self) -> str:
        """The first of its errors, behind its name."""
        more = f" (and {len(self.errors) - 1} more)" if self.errors[1:] else ""
        return f": {self.errors[0].splitlines()[0]}{more}" if self.errors else "; the other jobs go on"

    @property
    def fault(self) -> bool:
        """Whether its error is slidecaf's own."""
        return self.told.get("fault", False)


def job_name(rule, wildcards) -> str:
    """Name a job for a person.

    Examples
    --------
    >>> job_name("features", {"features": "cnn-336", "batch": "3"})
    'features, batch 3 (cnn-336)'
    >>> job_name("overlay", {"method": "svm-cnn", "variant": "plain", "slide": "gbm-01"})
    'overlay of slide gbm-01 (svm-cnn, plain)'
    """
    slide = f" of slide {wildcards['slide']}" if "slide" in wildcards else ""
    batch = f", batch {wildcards['batch']}" if "batch" in wildcards else ""
    rest = ", ".join(value for key, value in wildcards.items() if key not in ("slide", "batch"))
    return f"{rule}{slide}{batch}{f' ({rest})' if rest else ''}"


class Progress:
    """How far a run is, kept by its events.

    Parameters
    ----------
    folder : path-like or None
        Where jobs tell how far they are; None where nobody asked them to.
    clock : callable, optional
        Returns seconds.
    """

    def __init__(self, folder=None, *, clock=time.monotonic):
        self.planned, self.done = Counter(), Counter()  # jobs by rule: all, and those that ended well
        self.running = {}  # by number
        self.failures = []  # jobs that are not being tried again
        self.warnings = []  # a job's name and what it warned of
        self._folder, self._clock, self._begun = folder, clock, clock()
        self._seconds, self._patches, self._seen = Counter(), 0, deque()

    def plan(self, stats) -> None:
        """Take the plan: how many jobs each rule has."""
        self.planned = Counter({rule: count for rule, count in stats.items() if rule not in NOT_COUNTED})

    def start(self, number, rule, wildcards, log) -> None:
        """Take a job's start, its first or another after a failure."""
        if rule not in NOT_COUNTED:
            job = Job(rule, job_name(rule, wildcards), log, self._clock())
            self.running[number] = job
            self.failures = [failed for failed in self.failures if failed.name != job.name]

    def finish(self, number) -> None:
        """Take a job's end."""
        if job := self._end(number):
            self.done[job.rule] += 1
            self._seconds[job.rule] += self._clock() - job.started
            self.warnings += [(job.name, said) for said in job.told.get("warnings", [])]

    def fail(self, numbers, cluster_log="") -> list:
        """Take the failure of jobs, several where a cluster ran them as one; return a line each.

        Of several those failed that said why, or all if none did. Those that do not run are passed over.
        """
        ended = [job for number in numbers if (job := self._end(number))]
        failed = [one for one in ended if one.errors] or ended
        for one in failed:
            one.cluster_log = cluster_log
        self.failures += failed
        return [f"failed: {one.name}{one.reason}" for one in failed]

    def look(self) -> None:
        """Ask the running jobs how far they are."""
        for one in self.running.values():
            self._ask(one)
        now = self._clock()
        self._seen.append((now, self._patches))
        while self._seen[0][0] < now - WINDOW:
            self._seen.popleft()

    def _end(self, number):
        job = self.running.pop(number, None)
        if job:
            self._ask(job)
            if self._folder:  # another attempt begins anew
                told_path(self._folder, job.log).unlink(missing_ok=True)
        return job

    def _ask(self, job):
        path = told_path(self._folder, job.log) if self._folder else None
        if path and path.exists():
            before = job.told.get("patches", 0)
            job.told = json.loads(path.read_text(encoding="utf-8"))
            self._patches += job.told.get("patches", 0) - before

    @property
    def rate(self) -> float:
        """Patches a second over the last minute; 0 where none are computed."""
        if len(self._seen) < 2:
            return 0.0
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return (after - before) / max(end - start, 1e-9)

    @property
    def left(self) -> tuple:
        """Seconds that are left (None while nothing is known), and whether that is all or the least.

        Each job left takes the mean of its rule's, and as many run side by side as did so far.
        """
        now, left = self._clock(), 0.0
        mean = {rule: seconds / self.done[rule] for rule, seconds in self._seconds.items()}
        ages = [(one, now - one.started) for one in self.running.values()]
        for job, age in ages:
            if job.rule not in mean and job.told.get("share"):  # how far it is tells how long it takes
                mean[job.rule] = age / job.told["share"]
        waiting = self.planned - self.done
        for rule, count in waiting.items():
            spent = sum(min(age, mean.get(rule, 0)) for job, age in ages if job.rule == rule)
            left += max(0.0, count * mean.get(rule, 0) - spent)
        if not mean:
            return None, False
        worked = self._seconds.total() + sum(age for _, age in ages)
        side_by_side = max(1.0, worked / max(now - self._begun, 1e-9))
        return left / side_by_side, all(rule in mean for rule in waiting)

    @property
    def line(self) -> str:
        """How far the run is, in a line, without the count of jobs."""
        rules = Counter(one.rule for one in self.running.values())
        parts = [f"{rule} {self.done[rule] + 1} of {self.planned[rule]}" for rule in rules]
        if self.rate >= 1:
            parts.append(f"{self.rate:,.0f} patches/s")
        seconds, whole = self.left
        if seconds is not None and seconds >= 1 and self.running:
            parts.append(f"{'' if whole else 'at least '}{duration(seconds)} left")
        if self.failures:
            parts.append(f"{len(self.failures)} failed")
        return ", ".join(parts)


class Screen:
    """Shows a run on a stream: a bar that stays in its line on a terminal, and a line now and then elsewhere."""

    def __init__(self, stream, *, clock=time.monotonic):
        self._stream, self._clock = stream, clock
        self._bar, self._said, self._last = None, clock(), ""

    def show(self, progress) -> None:
        """Show how far a run is."""
        done, total = progress.done.total(), progress.planned.total()
        if self._stream.isatty():
            if self._bar is None:
                from tqdm import tqdm

                form = "{percentage:3.0f} % |{bar:20}| {n_fmt} of {total_fmt} jobs{postfix}"
                self._bar = tqdm(total=total, bar_format=form, file=self._stream, dynamic_ncols=True, leave=False)
            self._bar.n, self._bar.total = done, total
            self._bar.set_postfix_str(progress.line)
            return
        now = self._clock()
        if now - self._said >= EVERY or done == total:
            line = f"{done} of {total} jobs" + (f": {progress.line}" if progress.line else "")
            if line != self._last:
                self._said, self._last = now, line
                self.say(line)

    def say(self, line) -> None:
        """Write a line that stays."""
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def duration(seconds) -> str:
    """Say a time for a person.

    Examples
    --------
    >>> [duration(seconds) for seconds in (40, 720, 12_000)]
    ['40 s', '12 min', '3 h 20 min']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
