"""Slides that share a job: the same files, one bad slide stops no other, an interrupted job does one slide again."""

import os
import shutil
import signal
import subprocess
import time

from tests.workflow.conftest import make_mini, mini_config


def batched(config, slides=4):
    return {**config, "slides_per_job": slides}


def test_segmentation_in_batches_gives_the_same_maps_and_masks(segmented, tmp_path):
    study = segmented.copy(tmp_path / "study")
    shutil.rmtree(study / "results")
    study.config(
        lambda config: config.update(
            slides_per_job=3,
            features={name: {**chosen, "store": "train"} for name, chosen in config["features"].items()},
        )
    )
    study.finish()
    parts = ("plain/confidence", "plain/mask", "plain/overlay", "hard/mask", "scores.tsv")
    same = [f"segmentation/svm-cnn/{part}" for part in parts]
    assert study.bytes(*same) == segmented.bytes(*same)
    assert not study.planned()


def test_a_bad_slide_stops_no_other_of_its_job(tmp_path):
    study = make_mini(tmp_path / "study", config=batched(mini_config(), slides=10))
    good = (study / "slides/gbm-2.png").read_bytes()
    (study / "slides/gbm-2.png").write_bytes(good[:2000])
    failed = study.run("--until", "tiles-cnn-224-0")
    assert failed.returncode != 0
    assert "gbm-2" in failed.stderr
    assert len(list((study / "results/.kept").iterdir())) == 9
    (study / "slides/gbm-2.png").write_bytes(good)
    done = study.run("--until", "tiles-cnn-224-0")
    assert done.returncode == 0
    assert len(list((study / "results/tiles/cnn-224").glob("*.h5"))) == 10


def test_an_interrupted_batch_does_at_most_one_slide_again_and_ends_with_the_same_files(finished, tmp_path):
    study = make_mini(tmp_path / "study", config=batched(mini_config(), slides=10))
    run = subprocess.Popen(
        study.run_command("--cores", "1", "--until", "features-cnn-224-0"),
        env=study.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    folder = study / "results/features/cnn-224"
    for _ in range(1200):
        if len(list(folder.glob("[!.]*.h5"))) >= 4:
            break
        time.sleep(0.1)
    done = {path.stat().st_ino for path in folder.glob("[!.]*.h5")}
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    study.finish()
    assert len(done - {path.stat().st_ino for path in folder.glob("*.h5")}) <= 1
    assert len(done) >= 4
    same = ("tiles", "features", "pooled", "classification", "encoders")
    assert study.bytes(*same) == finished.bytes(*same)
    assert not study.planned()
    assert not (study / "results/.kept").exists()
    assert (study / "results/logs/features/cnn-224/gbm-1.log").exists()
