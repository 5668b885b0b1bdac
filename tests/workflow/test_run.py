"""`slidecaf run`: its arguments, its lock, what it says at the end, and signals."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from slidecaf.running.lock import lock_study
from tests.workflow.conftest import make_mini, mini_config

FOLDS = "results/classification/svm-cnn/folds.tsv"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A study with a file that takes one job."""
    config = mini_config()
    config["features"] = {"cnn-160": config["features"]["cnn-160"]}
    config["classification"]["methods"] = {"svm-cnn": {"features": ["cnn-160"], "norm": [3], "keep": [20], "C": [1]}}
    made = make_mini(tmp_path_factory.mktemp("small") / "study", patients=2, config=config, size=400)
    made.first_run = made.finish(FOLDS)
    return made


@pytest.fixture
def study(small, tmp_path):
    return small.copy(tmp_path / "study")


def test_what_is_asked_for_is_made_and_said(small):
    assert (small / FOLDS).is_file()
    assert "1 of 1 jobs" in small.first_run.stderr
    assert "1 jobs in " in small.first_run.stdout
    assert small.first_run.stdout.endswith(f"All results are in {small / 'results'}\n")


def cpu(call):
    """Return what a call returns, and the seconds of CPU of the processes it started, the less of two."""
    spent = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = call()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return done, min(spent)


def test_a_second_run_says_as_snakemake_does_that_there_is_nothing_to_do_in_three_seconds(small):
    compiled = {key: value for key, value in small.environment().items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = small.run_command("--cores", "2", FOLDS)
    again, spent = cpu(lambda: subprocess.run(command, env=compiled, capture_output=True, text=True, check=True))
    _, start = cpu(lambda: subprocess.run([sys.executable, "-c", "import snakemake.cli"], check=True))
    # of CPU, whoever else is at work; on a machine that is busy or slow they are longer: this import takes 1 s
    assert spent < 3 * max(start, 1.0)
    assert "Nothing to be done (all requested files are present and up to date)." in again.stderr
    assert "jobs in" not in again.stdout


@pytest.mark.parametrize("words", [("-n",), ("-np", "--quiet", "rules"), ("--dry-run", "--cores", "1")])
def test_a_plan_is_shown_and_nothing_is_run(study, words):
    planned = study.run(*words)
    assert planned.returncode == 0, planned.stderr
    assert "This was a dry-run" in planned.stdout
    assert "All results are in" not in planned.stdout
    assert not (study / "results/tiles").exists()


def test_the_study_is_the_first_word_or_else_the_folder_that_one_is_in(study):
    def say(*words):
        command = [*study.run_command()[:4], *words]
        return subprocess.run(
            command, cwd=study.folder, env=study.environment(), capture_output=True, text=True, timeout=100
        )

    for words in [("-n", "."), ("-n",), ("--cores", "1", ".", "-n", FOLDS), ("-n", "--resources", "gpu=2")]:
        planned = say(*words)
        assert planned.returncode == 0, (words, planned.stderr)
        assert ("Nothing to be done" in planned.stderr + planned.stdout) == (FOLDS in words)
    refused = say("elsewhere")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{study / 'elsewhere'} has no config.yaml; name the study's folder first")
    refused = say("--profile", "slrum")
    assert refused.returncode == 1
    assert refused.stderr.startswith("there is no profile slrum; give one of default, slurm")
    refused = say(".", "--no-such-option")
    assert refused.returncode == 2
    assert "unrecognized arguments: --no-such-option" in refused.stderr


def test_while_one_run_holds_the_study_another_is_refused_at_once(study):
    with lock_study(study.folder):
        refused = study.run(FOLDS)
    assert refused.returncode == 1
    said = f"another run is at work in {study.folder}, or a job that a killed one left behind; wait until it ends, or"
    assert refused.stderr == f"{said} end it.\n"


def test_snakemakes_stale_lock_is_cleared(study):
    (study / ".snakemake/locks").mkdir(exist_ok=True)
    (study / ".snakemake/locks/0.input.lock").write_text(f"{study / 'x'}\n")
    (study / ".snakemake/locks/0.output.lock").write_text(f"{study / FOLDS}\n")
    (study / FOLDS).unlink()
    study.finish(FOLDS)
    assert (study / FOLDS).is_file()


def test_failures_are_said_at_once_and_at_the_end_with_reason_log_and_what_to_do(study):
    slide = study / "slides/gbm-1.png"
    slide.write_bytes(slide.read_bytes()[:2000])
    failed = study.run("--until", "tiles")
    assert failed.returncode == 1
    assert "\nfailed: tiles" in f"\n{failed.stderr}"
    table = failed.stderr.partition(" failed:\n")[2]
    assert "gbm-1" in table
    assert "    log: results/logs/tiles/" in table
    assert " jobs failed; what is done is kept. Mend what is said above and run the same command again." in table
    assert "on_bad_slide: exclude" in table
    assert "Traceback" not in failed.stderr
    assert "All results are in" not in failed.stdout


@pytest.mark.parametrize(("number", "group"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)])
def test_a_signal_ends_the_run_and_its_jobs_and_frees_the_study(study, number, group):
    run = subprocess.Popen(
        study.run_command("--cores", "1", "--until", "tiles"),
        env=study.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    process, family = psutil.Process(run.pid), []
    while not family:
        assert run.poll() is None, run.stdout.read()
        with contextlib.suppress(psutil.NoSuchProcess):  # one that ends while it is looked at
            family = [one for one in process.children(recursive=True) if "/scripts/tmp" in " ".join(one.cmdline())]
        time.sleep(0.05)
    (os.killpg if group else os.kill)(run.pid, number)
    said, _ = run.communicate(timeout=100)
    assert run.returncode == 128 + number, said
    assert f"Ended by {number.name}; what is done is kept." in said
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    shutil.rmtree(study / "results/tiles", ignore_errors=True)
    assert "This was a dry-run" in study.run("-n").stdout


def test_a_run_needs_no_home(study):
    """A service's user has none that can be written to; Snakemake keeps its caches there."""
    (study / FOLDS).unlink()
    environment = {**study.environment(), "HOME": "/proc/nope", "XDG_CACHE_HOME": "", "OMP_NUM_THREADS": "many"}
    done = subprocess.run(study.run_command(FOLDS), env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"caches go to {study / '.snakemake/slidecaf/cache'}" in done.stderr
    assert (study / FOLDS).is_file()
