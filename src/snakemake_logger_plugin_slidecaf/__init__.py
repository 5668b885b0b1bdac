"""Snakemake's logger `slidecaf`: one line that says how far the run is, and what failed as soon as it does.

`make run` uses it; `snakemake --logger slidecaf` does too. Snakemake finds it by the package's name and imports it at
every start, so that it imports little.
"""

import logging
import os
import sys
import threading

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from slidecaf.running import watch
from slidecaf.running.run_state import SUMMARY, RunState

__all__ = ["LogHandler"]


class LogHandler(LogHandlerBase):
    """Takes Snakemake's events, keeps the run's state by them, and shows it."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True  # its own: every event is wanted, whatever --quiet says
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self):
        self.addFilter(lambda record: True)
        self._folder = os.environ.get(watch.FOLDER)
        self._state = RunState(self._folder)
        self._screen = None
        self._stop = threading.Event()
        self._ticking = threading.Thread(target=self._tick, daemon=True)
        self._ticking.start()

    def emit(self, record):
        """Take an event; messages without one are shown where they matter."""
        event = getattr(record, "event", None)
        with self.lock:
            take = {
                LogEvent.RUN_INFO: lambda: self._state.plan(record.stats),
                LogEvent.JOB_INFO: lambda: self._state.start(
                    record.jobid, record.rule_name, dict(record.wildcards), list(record.log)
                ),
                LogEvent.JOB_FINISHED: lambda: self._state.finish(record.job_id),
                LogEvent.JOB_ERROR: lambda: self._say(
                    self._state.fail(record.jobid, record.rule_name, list(record.log))
                ),
            }.get(event)
            if take:
                take()
            elif event in (None, LogEvent.ERROR) and self._matters(record):
                self._say(self.format(record))
            self._show()

    def close(self):
        """Leave the terminal as it was, and what is known of the run for `make run`."""
        self._stop.set()
        self._ticking.join()
        with self.lock:
            if self._screen:
                self._screen.close()
                self._screen = None
            if self._folder:
                from slidecaf.files.tables import write_json

                write_json(os.path.join(self._folder, SUMMARY), self._state.summary())
        super().close()

    def _matters(self, record):
        from snakemake.common import NOTHING_TO_BE_DONE_MSG

        if record.levelno < logging.WARNING:
            return record.msg == NOTHING_TO_BE_DONE_MSG
        # of failed jobs Snakemake says less than their own error, which is shown job by job
        of_job = getattr(record, "exception", "") == "RuleException" and self._state.running
        return not (of_job or self._state.failures)

    def _tick(self):
        while not self._stop.wait(1.0):
            with self.lock:
                self._state.look()
                self._show()

    def _say(self, line):
        self._open().say(line)

    def _show(self):
        if self._state.planned:
            self._open().show(self._state)

    def _open(self):
        if self._screen is None:
            from slidecaf.running.screen import Screen

            self._screen = Screen(sys.stderr)
        return self._screen
