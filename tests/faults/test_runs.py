"""Clocks set back, two runs at once, results that cannot be written, odd paths, other slides of the same name."""

import os
import random
import shutil
import subprocess
import time
from collections import Counter

import h5py
import pytest

from tests.faults.conftest import later

DAY = 86_400


def test_one_core_on_an_odd_path_gives_the_same_bytes_as_two(fresh, undisturbed, tmp_path, promise):
    study = fresh.copy(tmp_path / "Nekrose & Gewebe, größer (2) – 脑 'x'")
    done = study.run("--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert study.bytes() == undisturbed.bytes()
    assert study.planned() == Counter()
    promise("One core and two give the same bytes: tiles, features, pooled vectors, choices, predictions, maps, masks")
    promise("A study on a path with spaces, quotes and letters beyond ASCII runs as any other")


def test_results_deleted_at_random_are_made_again_with_the_same_bytes(study, undisturbed, promise):
    draw, expected = random.Random(20150419), undisturbed.bytes()
    gone = draw.sample(sorted(expected), len(expected) // 4)
    for path in gone:
        (study / "results" / path).unlink()
    # what tells how jobs went may go too
    shutil.rmtree(study / "results/logs" / draw.choice(os.listdir(study / "results/logs")))
    study.complete()
    assert study.bytes() == expected
    promise("Results deleted at random are made again with the same bytes", provoked=len(gone))


@pytest.mark.parametrize("seconds", [-3650 * DAY, 3 * DAY])
def test_a_clock_set_off_between_runs_changes_no_result_and_ends_in_nothing_to_do(study, undisturbed, seconds, promise):
    # as if the first part of the study had been run while the clock stood elsewhere
    for path in [*study.folder.glob("results/tiles/*/*"), *study.folder.glob("results/features/*/*")]:
        later(path, seconds)
    for name in ("incomplete", "metadata"):
        later(study / ".snakemake" / name, seconds)
    for path in study.folder.glob("results/pooled/*/*"):
        path.unlink()
    study.complete()
    assert study.bytes() == undisturbed.bytes()
    study.complete()
    assert study.planned() == Counter()
    promise("A clock set back or forth between runs changes no result, and reruns come to an end")


def test_of_two_runs_at_once_the_second_is_refused_whichever_command_came_first(study, undisturbed, promise):
    until = ("--until", "features")  # which is what the deleted files ask for

    def start(plain):
        if not plain:
            return study.start(*until)
        command = [*study.run_command()[:1], "-m", "snakemake", "-s", str(study.root / "Snakefile")]
        command += ["--directory", str(study.folder), "--cores", "2", "--workflow-profile"]
        command += [str(study.root / "profiles/default"), *until]
        return subprocess.Popen(
            command,
            env=study.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    orders = [(False, False), (False, True), (True, False), (True, True)]
    for first_plain, second_plain in orders:
        for path in study.folder.glob("results/features/*/*.h5"):  # jobs enough to outlast the second command
            path.unlink()
        logs = study / "results/logs/features"
        shutil.rmtree(logs)
        first = start(first_plain)
        while not list(logs.rglob("*.log")):  # its first job has begun
            assert first.poll() is None, first.stdout.read()
            time.sleep(0.1)
        second = start(second_plain)
        said, _ = second.communicate(timeout=300)
        assert second.returncode != 0
        assert "another run is at work" in said or "Directory cannot be locked" in said, said
        said, _ = first.communicate(timeout=300)
        assert first.returncode == 0, said
        assert study.bytes() == undisturbed.bytes()
    study.complete()
    assert study.bytes() == undisturbed.bytes()
    promise(
        "Of two runs at once in one study (make run, plain snakemake, in every order) the second is refused and the "
        "first undisturbed",
        provoked=len(orders),
    )


def test_results_that_cannot_be_written_are_one_clear_sentence(study, undisturbed, read_only, promise):
    study.config(lambda config: config["classification"]["methods"]["svm"].update(C=[2]))
    said = study.fail()
    assert f"{read_only} cannot be written to; make it writable" in said
    assert "Traceback" not in said
    assert study.bytes() == undisturbed.bytes()
    promise("A read-only results folder is one clear sentence, and nothing is changed")


def test_a_slide_replaced_by_another_of_its_name_reruns_its_chain_with_right_results(study, undisturbed, promise):
    pair = [study / "slides/gbm-1.png", study / "slides/lgg-1.png"]
    kept, times = [path.read_bytes() for path in pair], [path.stat() for path in pair]
    for path, content, stat in zip(pair, kept[::-1], times, strict=True):
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert {"gbm-1", "lgg-1"} <= set(study.planned_slides("features"))
    others = {path: path.stat().st_ino for path in study.folder.glob("results/features/cnn-160/*.h5")}
    assert {"pooling", "classifier", "patch_svm", "scores", "segmentation_scores"} <= set(study.planned())
    study.finish("--until", "features", "--resources", "gpu=2")
    changed = {path.stem for path, inode in others.items() if path.stat().st_ino != inode}
    assert changed == {"gbm-1", "lgg-1"}
    for kind, name in (("features", "features"), ("tiles", "coords")):
        for slide, other in (("gbm-1", "lgg-1"), ("lgg-1", "gbm-1")):
            found, expected = (
                h5py.File(folder / f"results/{kind}/cnn-160/{one}.h5", "r")[name][:]
                for folder, one in ((study.folder, slide), (undisturbed.folder, other))
            )
            assert (found == expected).all()
    for path, content in zip(pair, kept, strict=True):
        path.write_bytes(content)
    study.complete()
    assert study.bytes() == undisturbed.bytes()
    promise("A slide replaced by another of its name reruns its own chain, and results are the new slide's", provoked=2)
