"""Killed in the middle of an epoch, a network is trained on to the bytes of an undisturbed run."""

import os
import signal
import time

import pytest

from slidecaf.files.tables import read_json
from tests.faults.conftest import FaultyStudy
from tests.workflow.conftest import fix_folds, make_mini, trained_config

TOP = "results/classification/cnn"
NETWORK = f"{TOP}/final/network.safetensors"
LONG = {"epochs": 80, "patience": 80}
STAGES = {"kind": "cam-two-stage", "architecture": "custom-cnn", "head": "own"}
PATCHES = {"architecture": "custom-cnn", "patches_of": "squares", "patches_per_slide": 3}


@pytest.fixture
def untrained(tmp_path):
    """Return a function: a mini study of a network that learns for many epochs, with some settings changed."""

    def make(size=160, **changed):
        config = trained_config()
        config["features"] = {"squares": {"kind": "manual", "tiling": {"patch_size": 160, "stride": 160}}}
        config["classification"]["methods"]["cnn"] |= LONG | changed
        study = FaultyStudy(make_mini(tmp_path / "study", config=config, size=size).folder)
        fix_folds(study)
        return study

    return make


def killed(study, checkpoint, moments):
    """Kill a run some moments after an epoch has ended in a file that training goes on from; return how often."""
    kept, count = study / f"{TOP}/final/{checkpoint}", 0
    for moment in moments:
        run = study.start(NETWORK)
        before = kept.stat().st_mtime_ns if kept.exists() else None
        end = time.monotonic() + 240
        while run.poll() is None and time.monotonic() < end:
            if kept.exists() and kept.stat().st_mtime_ns != before:
                break
            time.sleep(0.01)
        time.sleep(moment)  # into the epochs that follow
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            count += 1
        run.wait()
    return count


def gone_on(study, checkpoint, undisturbed):
    """Finish a run that was killed, and hold it against one that was not; return the log of what went on."""
    kept = study / f"{TOP}/final/{checkpoint}"
    assert kept.exists()
    study.finish(NETWORK)
    assert not kept.exists()
    assert study.bytes() == undisturbed.bytes()
    return (study / "results/logs/network/cnn/final.log").read_text()


def disturbed(study, tmp_path, checkpoint, moments):
    """Run a study twice, once with kills; return how many there were, and the log of what went on."""
    undisturbed = study.copy(tmp_path / "undisturbed")
    undisturbed.finish(NETWORK)
    count = killed(study, checkpoint, moments)
    assert count
    return count, gone_on(study, checkpoint, undisturbed)


def test_killed_in_mid_epoch_training_goes_on_to_the_same_bytes(untrained, tmp_path, promise):
    """Of patches, which each epoch draws anew; a stage before the second one learns from whole images."""
    study = untrained(400, **PATCHES)
    count, log = disturbed(study, tmp_path, ".network.safetensors.checkpoint", (0.1, 0.6))
    assert "going on after epoch " in log
    assert read_json(study / f"{TOP}/final/choice.json")["chosen"]["epoch"] >= 1
    promise(
        "Killed in the middle of an epoch, training goes on from the last whole one to the same draws of patches, and "
        "the network has the bytes of an undisturbed run",
        provoked=count,
    )


def test_killed_in_the_second_stage_it_goes_on_with_that_one(untrained, tmp_path, promise):
    count, log = disturbed(untrained(**STAGES), tmp_path, ".network.safetensors.stage-2.checkpoint", (0.1,))
    assert f"going on after epoch {LONG['epochs']} " in log  # the first stage is done
    assert log.count("going on after epoch ") == 2
    promise(
        "Killed in its second stage, training goes on with that one, and both networks have the bytes of an "
        "undisturbed run",
        provoked=count,
    )
