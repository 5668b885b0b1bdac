"""Snakemake's logger `slidecaf`: one line that says how far the run is, and what failed as soon as it does.

`slidecaf run` uses it; `snakemake --logger slidecaf` does too. Snakemake finds it by the package's name and imports it
at every start, so that it imports little.
"""

import logging
import os
import sys
import threading

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from slidecaf.logs import WATCH
from slidecaf.running.progress import RUNS, Progress, Screen

__all__ = ["LogHandler"]


class LogHandler(LogHandlerBase):
    """Hands Snakemake's events to `slidecaf.running.progress`, which keeps the run's state and shows it."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True  # its own: every event is wanted, whatever --quiet says
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self):
        self.addFilter(lambda record: True)
        self._progress, self._screen = Progress(os.environ.get(WATCH)), Screen(sys.stderr)
        RUNS.append(self._progress)
        self._stop = threading.Event()
        self._ticking = threading.Thread(target=self._tick, daemon=True)
        self._ticking.start()

    def emit(self, record):
        """Take an event; messages without one are shown where they matter."""
        event, lines = getattr(record, "event", None), []
        with self.lock:
            if event == LogEvent.RUN_INFO:
                self._progress.plan(record.stats)
            elif event == LogEvent.JOB_INFO:
                log = next(iter(record.log), "")
                self._progress.start(record.jobid, record.rule_name, dict(record.wildcards), log)
            elif event == LogEvent.JOB_FINISHED:
                self._progress.finish(record.job_id)
            elif event == LogEvent.JOB_ERROR:  # behind the job's own log stands the cluster's
                lines = self._progress.fail([record.jobid], next(iter(record.log[1:]), ""))
            elif event == LogEvent.GROUP_ERROR:  # an error a job follows, which then runs no more
                jobs = [info["jobid"] for info in record.job_error_info]
                lines = self._progress.fail(jobs, next(iter(record.aux_logs), ""))
            elif event in (None, LogEvent.ERROR) and self._matters(record):
                lines = [self.format(record)]
            for line in lines:
                self._screen.say(line)
            self._show()

    def close(self):
        """Leave the terminal as it was."""
        self._stop.set()
        self._ticking.join()
        with self.lock:
            self._screen.close()
        super().close()

    def _matters(self, record):
        from snakemake.common import NOTHING_TO_BE_DONE_MSG

        if record.levelno < logging.WARNING:
            return record.msg == NOTHING_TO_BE_DONE_MSG
        # of failed jobs Snakemake says less than their own error, which is shown job by job
        of_job = getattr(record, "exception", "") == "RuleException" and self._progress.running
        return not (of_job or self._progress.failures)

    def _tick(self):
        while not self._stop.wait(1.0):
            with self.lock:
                self._progress.look()
                self._show()

    def _show(self):
        if self._progress.planned:
            self._screen.show(self._progress)
