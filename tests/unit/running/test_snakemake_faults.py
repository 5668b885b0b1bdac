"""A handler that waits for a lock, on a signal that comes while the main thread holds it."""

import os
import signal
import threading

import pytest

from slidecaf.running.snakemake_faults import handle_in_thread


@pytest.fixture
def restored():
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("restored")
def test_a_handler_waits_for_a_lock_beside_the_thread_that_holds_it():
    lock, handled = threading.Lock(), threading.Event()

    def handler(number, frame):
        with lock:
            handled.set()

    signal.signal(signal.SIGUSR1, handler)
    handle_in_thread(signal.SIGUSR1)
    with lock:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not handled.wait(0.2)
    assert handled.wait(10)


@pytest.mark.usefixtures("restored")
def test_a_signal_without_a_handler_keeps_its_default():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    handle_in_thread(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
