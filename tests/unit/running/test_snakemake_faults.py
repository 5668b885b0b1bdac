"""Snakemake without its rate limiter, and signal handlers that wait for locks."""

import os
import signal
import subprocess
import sys
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


SNAKEFILE = """
rule all:
    output: "made"
    shell: "touch made"

onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    print("limit:", limit and limit.max_jobs)
"""
RUN = """
import sys
from slidecaf.running.snakemake_faults import run_snakemake
sys.exit(run_snakemake(["--cores", "1", "--workflow-profile", "none", *sys.argv[1:]]))
"""


def run(folder, *words):
    return subprocess.run([sys.executable, "-c", RUN, *words], cwd=folder, capture_output=True, text=True)


def test_snakemake_runs_without_a_rate_limiter_unless_one_is_asked_for(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "limit: None" in done.stdout
    assert "limit: 7" in run(tmp_path, "--forceall", "--max-jobs-per-timespan", "7/3s").stdout


def test_the_exit_code_is_snakemakes(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("touch", "false"))
    assert run(tmp_path).returncode == 1
    assert run(tmp_path, "--no-such-option").returncode == 2
    (tmp_path / "Snakefile").write_text("import sys\nprint('refused', file=sys.stderr)\nsys.exit(1)\n")
    refused = run(tmp_path)
    assert refused.returncode == 1
    assert "refused" in refused.stderr
    assert "Traceback" not in refused.stderr
