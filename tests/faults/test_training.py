"""Killed while it learns, a network is trained on to the bytes of an undisturbed run."""

import os
import signal
import time

from slidecaf.files.tables import read_json
from tests.faults.conftest import FaultyStudy
from tests.workflow.conftest import fix_folds, make_mini, trained_config

TOP = "results/classification/cnn/final"
NETWORK = f"{TOP}/network.safetensors"
CHECKPOINTS = [f"{TOP}/.network.safetensors.{name}" for name in ("checkpoint", "stage-2.checkpoint")]
"""What the first stage goes on from, and the second."""
EPOCHS = 80
STAGES = {"kind": "cam-two-stage", "architecture": "custom-cnn", "head": "own", "epochs": EPOCHS, "patience": EPOCHS}


def test_killed_in_mid_epoch_in_either_stage_training_goes_on_to_the_same_bytes(tmp_path, promise):
    """Patches, which each epoch draws anew, are met in `tests/unit/training/test_patches.py`."""
    config = trained_config()
    config["classification"]["methods"]["cnn"] |= STAGES
    study = FaultyStudy(make_mini(tmp_path / "study", config=config, size=160).folder)
    fix_folds(study)
    undisturbed = study.copy(tmp_path / "undisturbed")
    undisturbed.finish(NETWORK)

    moments = [(CHECKPOINTS[0], 0.1), (CHECKPOINTS[0], 0.5), (CHECKPOINTS[1], 0.1)]
    for checkpoint, moment in moments:
        kill(study, study / checkpoint, moment)
        assert (study / checkpoint).exists()
    study.finish(NETWORK)

    assert not any((study / checkpoint).exists() for checkpoint in CHECKPOINTS)
    assert study.bytes() == undisturbed.bytes()
    log = (study / "results/logs/network/cnn/final.log").read_text()
    assert f"going on after epoch {EPOCHS} " in log  # the first stage is done
    assert log.count("going on after epoch ") == 2
    assert read_json(study / f"{TOP}/choice.json")["chosen"]["epoch"] >= 1
    promise(
        "Killed in the middle of an epoch, in the first stage or the second, training goes on from the last whole "
        "epoch, and both networks have the bytes of an undisturbed run",
        provoked=len(moments),
    )


def kill(study, kept, moment):
    """Kill a run some seconds after an epoch has ended in the file that training goes on from."""
    run = study.start(NETWORK)
    before = kept.stat().st_mtime_ns if kept.exists() else None
    while not kept.exists() or kept.stat().st_mtime_ns == before:
        assert run.poll() is None, run.stdout.read()
        time.sleep(0.01)
    time.sleep(moment)  # into the epochs that follow
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
