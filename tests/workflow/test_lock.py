"""Two runs at once in one study."""

import os
import signal
import subprocess
import time

from tests.workflow.conftest import make_mini


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
