"""Signals whose handlers wait for locks."""

import signal
import threading


def handle_in_thread(number):
    """Let a signal's present handler run in a thread of its own, beside what the signal interrupts.

    Snakemake's handler of SIGTERM (9.27, ``JobScheduler.exit_gracefully``) waits for a lock that the interrupted main
    thread holds whenever it books finished jobs; both then wait forever. A thread waits until the lock is free.

    Parameters
    ----------
    number : signal.Signals
        One without a handler of Python's own is left as it is.
    """
    handler = signal.getsignal(number)
    if callable(handler):
        signal.signal(number, lambda *arguments: threading.Thread(target=handler, args=arguments).start())
