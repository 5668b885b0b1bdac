"""Killed in the middle of an epoch, a network is trained on to the bytes of an undisturbed run."""

import os
import signal
import time

import pytest

from slidecaf.files.tables import read_json
from tests.faults.conftest import FaultyStudy
from tests.workflow.conftest import fix_folds, make_mini, trained_config

TOP = "results/classification/cnn"


PARTS = ("fold-0", "fold-1", "final")


def made(folder, **method):
    """Make a mini study of a network, with other settings of its method."""
    config = trained_config()
    config["classification"]["methods"]["cnn"] |= method
    study = FaultyStudy(make_mini(folder, config=config, size=160).folder)
    fix_folds(study)
    return study


@pytest.fixture
def untrained(tmp_path):
    """A mini study of a network that learns for many epochs."""
    return made(tmp_path / "study", epochs=30, patience=30)


def kill_after(study, kept, moment):
    """Run until one of some checkpoints is written, and kill it a moment later; tell whether it was still at work."""
    run = study.start("--until", "network")
    before = {path: path.stat().st_mtime_ns for path in kept if path.exists()}
    end = time.monotonic() + 120
    while run.poll() is None and time.monotonic() < end:
        if any(path.exists() and path.stat().st_mtime_ns != before.get(path) for path in kept):
            break
        time.sleep(0.01)
    time.sleep(moment)
    struck = run.poll() is None
    if struck:
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return struck


def test_killed_in_mid_epoch_training_goes_on_to_the_same_bytes(untrained, tmp_path, promise):
    undisturbed = untrained.copy(tmp_path / "undisturbed")
    undisturbed.finish("--until", "network", "--resources", "gpu=2")
    kept = [untrained / f"{TOP}/{part}/.network.safetensors.checkpoint" for part in PARTS]
    killed = sum(kill_after(untrained, kept, moment) for moment in (0.1, 0.4, 1.0))  # into the epochs that follow
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


def test_killed_in_its_second_stage_a_network_keeps_the_first_and_goes_on_to_the_same_bytes(tmp_path, promise):
    two = {"kind": "cam-two-stage", "architecture": "custom-cnn", "head": "own", "epochs": 20, "patience": 20}
    study = made(tmp_path / "study", **two)
    undisturbed = study.copy(tmp_path / "undisturbed")
    undisturbed.finish("--until", "network", "--resources", "gpu=2")
    kept = [study / f"{TOP}/{part}/.network.safetensors.stage-2.checkpoint" for part in PARTS]
    killed = sum(kill_after(study, kept, moment) for moment in (0.05, 0.2))
    assert killed
    there = [path.parent.name for path in kept if path.exists()]
    assert there
    study.finish("--until", "network", "--resources", "gpu=2")
    for part in there:
        said = (study / f"results/logs/network/cnn/{part}.log").read_text()
        assert said.count("going on after epoch ") == 2  # of the first stage, to its end, and of the second
    assert not any(path.exists() for path in kept)
    assert study.bytes() == undisturbed.bytes()
    promise(
        "Killed in its second stage, a network that is trained twice keeps the first stage and has the bytes of an "
        "undisturbed run",
        provoked=killed,
    )
