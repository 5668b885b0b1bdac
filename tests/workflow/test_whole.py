"""Whole images by shards, through the workflow: what a change makes again, and that nothing leaks."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from slidecaf.files.tables import read_tsv
from slidecaf.study.batches import deal_shards
from tests.workflow.conftest import accepted, fix_folds, make_mini, mini_config, turn_labels

SHARDS = 3


def config():
    """Two methods on whole slides, of which the second chooses between all features and some."""
    both = mini_config()
    encoder = both["features"]["cnn-224"]["encoder"]
    both["features"] = {"whole-64": {"tiling": "whole", "encoder": encoder, "shards": SHARDS}}
    both["classification"]["methods"] = {"image-level": {"features": ["whole-64"], "keep": ["all", 20], "C": [0.01, 1]}}
    return both


def shard_files(study):
    return {path.name: path for path in (study / "results/features/whole-64").glob("shard-*.h5")}


def shards_of(study):
    return deal_shards([slide for batch in study.batches().values() for slide in batch], SHARDS)


@pytest.fixture
def planned(tmp_path):
    """A mini study that has not been run."""
    return make_mini(tmp_path / "study", config=config())


def test_there_are_neither_tiles_nor_pooled_files_and_a_job_a_shard(planned):
    jobs = planned.planned()
    assert jobs["whole_features"] == len(shards_of(planned)) == SHARDS
    assert not {"tiles", "features", "pooling"} & set(jobs)
    planned.config(lambda c: c["features"]["whole-64"].update(shards=200))
    jobs = planned.planned()
    assert jobs["whole_features"] == len(
        deal_shards([slide for shard in shards_of(planned).values() for slide in shard], 200)
    )


def test_a_segmentation_of_whole_images_ends_the_plan_with_a_sentence(planned):
    planned.config(
        lambda c: c.update(segmentation={"sheet": "segmentation.tsv", "methods": {"m": {"features": "whole-64"}}})
    )
    refused = planned.snakemake("-n")
    assert refused.returncode != 0
    assert "segmentation.methods.m.features: whole-64 takes the whole image as one patch" in refused.stderr


@pytest.mark.long
def test_a_study_of_whole_images_runs_changes_by_the_shard_and_leaks_nothing(tmp_path):
    study = make_mini(tmp_path / "study", config=config())
    fix_folds(study)
    study.finish()
    assert study.planned(shown=True) == {}
    assert sorted(shard_files(study)) == [f"shard-{k}.h5" for k in shards_of(study)]
    assert not (study / "results/tiles").exists()
    assert not (study / "results/pooled").exists()
    predictions = read_tsv(study / "results/classification/image-level/predictions.tsv")
    assert {row["patches"] for row in predictions} == {"1"}
    assert "The feature set <code>whole-64</code> takes each slide whole" in (study / "results/report.html").read_text()
    accepted(study)

    # labels of held-out rows reach nothing upstream
    before = study.bytes()
    turn_labels(study)
    study.judge()
    after = study.bytes()
    upstream = [path for path in before if "/classification/" not in path or "/fold-0/" in path]
    assert sum("/features/" in path for path in upstream) == 2 * SHARDS
    assert [path for path in upstream if before[path] != after[path]] == []
    assert any(before[path] != after[path] for path in before if "/fold-1/" in path)

    # a changed image computes its shard's job alone
    shards = shards_of(study)
    (mine,) = (k for k, shard in shards.items() if "gbm-1" in shard)
    times = {name: path.stat().st_mtime_ns for name, path in shard_files(study).items()}
    Image.fromarray(np.full((300, 300, 3), 90, np.uint8)).save(study / "slides/gbm-1.png")
    assert study.planned()["whole_features"] == 1
    study.judge()
    changed = {name for name, path in shard_files(study).items() if path.stat().st_mtime_ns != times[name]}
    assert changed == {f"shard-{mine}.h5"}
    assert f"{len(shards[mine])} images, of which {len(shards[mine]) - 1} have features already" in log(study, mine)
    assert study.planned() == {}

    # one that is deleted or damaged is made again, with the same bytes, and nothing behind it
    good = study.bytes()
    first, second = sorted(shard_files(study).values())[:2]
    first.unlink()
    spoilt = bytearray(second.read_bytes())
    spoilt[len(spoilt) // 2] ^= 255
    second.write_bytes(spoilt)
    said = study.snakemake("-n")
    assert "is gone; it is made again" in said.stdout + said.stderr
    assert "is not what a job wrote; it is made again" in said.stdout + said.stderr
    study.judge()
    assert study.bytes() == good
    assert study.planned() == {}

    # an image that cannot be read ends the run, or is left out and counts as wrong
    (study / "slides/lgg-5.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    failed = study.run()
    assert failed.returncode != 0
    assert "slide lgg-5" in failed.stderr
    study.config(lambda c: c.update(on_bad_slide="exclude"))
    study.judge()
    row = next(
        row for row in read_tsv(study / "results/classification/image-level/predictions.tsv") if row["slide"] == "lgg-5"
    )
    assert (row["status"], row["predicted"], row["patches"]) == ("unreadable", "", "0")
    accepted(study)

    # another number of shards leaves files over, which clean removes
    study.config(lambda c: c["features"]["whole-64"].update(shards=1))
    study.judge()
    cleaned = subprocess.run(
        [sys.executable, "-m", "slidecaf.cli", "clean", str(study.folder)],
        capture_output=True,
        text=True,
        env=study.environment(),
        check=True,
    )
    assert sorted(shard_files(study)) == ["shard-0.h5"]
    assert "results/logs/whole_features/whole-64/shard-2.log" in cleaned.stdout
    assert study.planned() == {}


def log(study, shard):
    return (study / f"results/logs/whole_features/whole-64/shard-{shard}.log").read_text()
