"""Slides that share a job: the same files, one bad slide stops no other, an interrupted job does one slide again."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.workflow.conftest import make_mini


@pytest.mark.long
def test_other_batches_of_a_segmentation_give_the_same_maps_and_masks(segmented, tmp_path):
    study = segmented.copy(tmp_path / "study")
    for kind in ("labels", "segmentation"):
        shutil.rmtree(study / "results" / kind)
    study.config(lambda config: config.update(slides_per_job=2))
    study.judge()
    kinds = ("plain/confidence", "plain/mask", "plain/overlay", "hard/mask")
    same = [f"segmentation/svm-cnn/{kind}" for kind in kinds] + ["segmentation/svm-cnn/scores.tsv"]
    assert study.bytes(*same) == segmented.bytes(*same)
    assert not study.planned()


@pytest.mark.long
def test_a_bad_slide_stops_no_other_of_its_job(tmp_path):
    study = make_mini(tmp_path / "study")
    good = (study / "slides/gbm-2.png").read_bytes()
    (study / "slides/gbm-2.png").write_bytes(good[:2000])
    failed = study.run("--until", "tiles")
    assert failed.returncode != 0
    assert "gbm-2" in failed.stderr
    done = {path: path.stat().st_ino for path in study.folder.glob("results/tiles/*/*.h5")}
    assert len(done) == 2 * 9
    (study / "slides/gbm-2.png").write_bytes(good)
    assert study.run("--until", "tiles").returncode == 0
    assert {path: path.stat().st_ino for path in done} == done
    assert len(list(study.folder.glob("results/tiles/*/*.h5"))) == 2 * 10


@pytest.mark.long
def test_an_interrupted_batch_does_at_most_one_slide_again_and_ends_with_the_same_files(finished, tmp_path):
    study = make_mini(tmp_path / "study")
    folder = study / "results/features/cnn-224"
    manifests = [f"results/features/cnn-224/batch-{number}.tsv" for number in study.batches()]
    manifests.sort(key=lambda path: -len(study.batches()[int(path.rpartition("-")[2][:-4])]))  # the training rows first
    run = subprocess.Popen(
        study.run_command("--cores", "1", manifests[0]),
        env=study.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for _ in range(1200):
        if len(list(folder.glob("[!.]*.h5"))) >= 4:
            break
        time.sleep(0.1)
    done = {path.stat().st_ino for path in folder.glob("[!.]*.h5")}
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    study.finish(*manifests)
    assert len(done - {path.stat().st_ino for path in folder.glob("*.h5")}) <= 1
    assert len(done) >= 4
    same = "tiles/cnn-224", "features/cnn-224"
    assert study.bytes(*same) == finished.bytes(*same)
