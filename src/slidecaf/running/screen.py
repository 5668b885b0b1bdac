"""Shows a run's state: a bar that stays in its line on a terminal, and a line now and then elsewhere."""

import time

EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class Screen:
    """Where a run is shown.

    Parameters
    ----------
    stream : file
    clock : callable, optional
        Returns seconds.
    """

    def __init__(self, stream, *, clock=time.monotonic):
        self._stream, self._clock = stream, clock
        self._bar, self._said, self._last = None, clock(), ""

    def show(self, state):
        """Show how far a run is.

        Parameters
        ----------
        state : slidecaf.running.run_state.RunState
        """
        done, total = state.done.total(), state.planned.total()
        if self._stream.isatty():
            if self._bar is None:
                from tqdm import tqdm

                form = "{percentage:3.0f} % |{bar:20}| {n_fmt} of {total_fmt} jobs{postfix}"
                self._bar = tqdm(total=total, bar_format=form, file=self._stream, dynamic_ncols=True, leave=False)
            self._bar.n, self._bar.total = done, total
            self._bar.set_postfix_str(state.line)
            return
        now = self._clock()
        line = f"{done} of {total} jobs" + (f": {state.line}" if state.line else "")
        if (now - self._said >= EVERY or done == total) and line != self._last:
            self._said, self._last = now, line
            self.say(line)

    def say(self, line):
        """Write a line that stays."""
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def close(self):
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
