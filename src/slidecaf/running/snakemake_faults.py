"""What Snakemake (9.27) gets wrong and slidecaf works around, without changing Snakemake.

Its rate limiter of jobs. Each wake-up of the scheduler starts one more timer that wakes it up again
(``JobScheduler._schedule_reevalutation``): in a study of 480 jobs that came to 150 wake-ups a second and 40 % of a
core. No option of the command line takes the limiter off, since there ``--max-jobs-per-timespan`` has a default; the
API does. Upstream: https://github.com/snakemake/snakemake/pull/3744 (open) is about the same loop.

Its handler of SIGTERM (``JobScheduler.exit_gracefully``) waits for a lock that the interrupted main thread holds
whenever it books finished jobs; both then wait forever. Not reported upstream yet.
"""

import os
import signal
import threading
from contextlib import contextmanager


def run_snakemake(words) -> int:
    """Run Snakemake in this process, without its rate limiter unless a limit is asked for.

    Parameters
    ----------
    words : list of str
        Snakemake's arguments.

    Returns
    -------
    int
        The exit code: 0, or 1 after an error, 130 and 143 after SIGINT and SIGTERM. Running jobs have ended then.
    """
    from snakemake.cli import args_to_api, parse_args
    from snakemake.exceptions import WorkflowError, print_exception

    with _noted_signals() as noted:
        try:
            parser, arguments = parse_args(words)
            limit = arguments.max_jobs_per_timespan
            default = limit.parse_choice(parser.get_default("max_jobs_per_timespan"))
            if (limit.max_jobs, limit.timespan) == (default.max_jobs, default.timespan):
                arguments.max_jobs_per_timespan = None
            code = 0 if args_to_api(arguments, parser) else 1
        except WorkflowError as error:
            print_exception(error)
            code = 1
        except SystemExit as end:  # of a Snakefile that has said why, or of the parser
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except KeyboardInterrupt:  # while the plan was made
            code = 128 + signal.SIGINT
        came = noted()
    # Snakemake ends well or with 1, whoever ended it
    return next((128 + number for number in (signal.SIGINT, signal.SIGTERM) if number in came and code), code)


@contextmanager
def _noted_signals():
    """Give a function that returns the signals which came until then, whatever Python's handlers make of them."""
    noted, note = os.pipe()
    os.set_blocking(noted, False)
    os.set_blocking(note, False)
    os.write(note, b"\0")  # so that there is something to read
    before = signal.set_wakeup_fd(note)
    try:
        yield lambda: set(os.read(noted, 1000))
    finally:
        signal.set_wakeup_fd(before)
        os.close(noted)
        os.close(note)


def handle_in_thread(number) -> None:
    """Let a signal's present handler run in a thread of its own, which waits until the lock that it needs is free.

    Parameters
    ----------
    number : signal.Signals
        One without a handler of Python's own is left as it is.
    """
    handler = signal.getsignal(number)
    if callable(handler):
        signal.signal(number, lambda *arguments: threading.Thread(target=handler, args=arguments).start())
