"""A killed run loses nothing: the next one ends with the bytes of an undisturbed run."""

import os
import random
import signal
import subprocess
import time

from tests.workflow.conftest import make_mini

KILLS = 10


def test_killed_at_ten_random_moments_a_study_ends_as_if_undisturbed(finished, tmp_path):
    study = make_mini(tmp_path / "study")
    moments = random.Random(20150419)
    killed = 0
    for _ in range(KILLS):
        run = subprocess.Popen(
            study.run_command("--cores", "2", "--resources", "gpu=2"),
            env=study.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.5, 12))
        killed += run.poll() is None
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        partial = [path for path in (study / "results").rglob("*") if path.suffix == ".h5" and path.name[0] != "."]
        assert all(path.stat().st_size for path in partial)
    assert killed >= KILLS // 2
    study.finish("--resources", "gpu=2")
    assert study.bytes() == finished.bytes()


def test_two_runs_never_work_in_one_study(tmp_path):
    study = make_mini(tmp_path / "study")
    first = subprocess.Popen(
        study.run_command("--cores", "1"),
        env=study.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(100):
            if (study / ".snakemake/slidecaf.lock").exists():
                break
            time.sleep(0.1)
        time.sleep(0.3)
        second = study.run()
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert second.returncode != 0
    assert "another run is at work" in second.stderr
