"""Killed in the middle of an epoch, a network is trained on to the bytes of an undisturbed run."""

import os
import signal
import time

import pytest

from slidecaf.files.tables import read_json
from tests.faults.conftest import FaultyStudy
from tests.workflow.conftest import fix_folds, make_mini, trained_config

TOP = "results/classification/cnn"


@pytest.fixture
def untrained(tmp_path):
    """A mini study of a network that learns for many epochs."""
    config = trained_config()
    config["classification"]["methods"]["cnn"] |= {"epochs": 30, "patience": 30}
    study = FaultyStudy(make_mini(tmp_path / "study", config=config, size=160).folder)
    fix_folds(study)
    return study


def test_killed_in_mid_epoch_training_goes_on_to_the_same_bytes(untrained, tmp_path, promise):
    undisturbed = untrained.copy(tmp_path / "undisturbed")
    undisturbed.finish("--until", "network", "--resources", "gpu=2")
    kept = [untrained / f"{TOP}/{part}/.network.safetensors.checkpoint" for part in ("fold-0", "fold-1", "final")]
    killed = 0
    for moment in (0.1, 0.4, 1.0):
        run = untrained.start("--until", "network")
        before = {path: path.stat().st_mtime_ns for path in kept if path.exists()}
        end = time.monotonic() + 120
        while run.poll() is None and time.monotonic() < end:
            if any(path.exists() and path.stat().st_mtime_ns != before.get(path) for path in kept):
                break
            time.sleep(0.01)
        time.sleep(moment)  # into the epochs that follow
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            killed += 1
        run.wait()
    assert killed
    there = [path.parent.name for path in kept if path.exists()]
    assert there
    untrained.finish("--until", "network", "--resources", "gpu=2")
    for part in there:
        assert "going on after epoch " in (untrained / f"results/logs/network/cnn/{part}.log").read_text()
    assert not any(path.exists() for path in kept)
    assert untrained.bytes() == undisturbed.bytes()
    assert read_json(untrained / f"{TOP}/final/choice.json")["chosen"]["epoch"] >= 1
    promise(
        "Killed in the middle of an epoch, training goes on from the last whole one, and the network has the bytes of "
        "an undisturbed run",
        provoked=killed,
    )
