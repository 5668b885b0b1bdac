"""Params: what reruns a job is one mapping by name, and says of each slide what its file alone depends on."""

import json

import pytest

from slidecaf.files.manifests import Token
from slidecaf.running.jobs.params import UNUSED, SlideParams, tracked, untracked
from slidecaf.study.kinds import CLASSIFICATION_KINDS
from slidecaf.study.layout import Layout
from slidecaf.study.steps import made_by
from tests.unit.running.jobs.planned import Job

LAYOUT = Layout()


def params(planned, look=True):
    return SlideParams(planned.slides, LAYOUT, look=look, reading={"limits": 9, "on_bad_slide": "fail"})


def test_tracked_holds_values_revisions_and_versions_by_name():
    found = tracked("folds", seed=0, rows=lambda wildcards: [wildcards.method])(Job(method="svm"))
    assert found == {"seed": 0, "rows": ["svm"], **made_by("folds")}
    assert set(found) == {"seed", "rows", "revision", "versions"}


def test_a_method_counts_the_packages_of_its_kind_and_the_libraries_of_its_job():
    found = tracked(
        "classifier",
        kind=lambda wildcards: CLASSIFICATION_KINDS[wildcards.method],
        libraries=lambda wildcards: ("scipy",),
    )(Job(method="mcil"))
    assert "classification.mcil" in found["revision"]
    assert "scipy" in found["versions"]
    assert "classification.mcil" not in tracked("classifier")(Job())["revision"]


def test_a_value_that_is_not_used_is_left_out():
    assert "stain" not in tracked("features", stain=lambda wildcards: UNUSED)(Job())
    assert untracked(stain=UNUSED, threads=2)(Job(), output=["file"]) == {"threads": 2}


def test_a_batch_has_its_slides_settings_and_token(planned):
    number, own = planned.batch_of("c")
    assert len(own) == 2  # one of which is not meant
    found = params(planned).tracked_batch(
        "pooling", LAYOUT.pooled, ["c", "y"], own=lambda slide, wildcards: {"digest": slide}, norms=[3]
    )(Job(features="cnn", batch=number))
    assert found["slides"] == {"c": {"digest": "c"}}
    assert found["settings"] == {"norms": [3], **made_by("pooling")}
    assert found["token"] == ""


@pytest.mark.parametrize("look", [True, False])
def test_a_plan_sees_a_file_that_is_gone_and_a_job_of_its_own_keeps_what_the_plan_said(planned, tmp_path, look):
    manifest = tmp_path / "results/pooled/cnn/batch-0.tsv"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("slide\tfile\tsize\tsha256\na\ta.h5\t3\tabc\n")
    job = Job(features="cnn", batch=next(iter(planned.targets.batches)))
    manifest.rename(manifest.with_name(f"batch-{job.batch}.tsv"))
    token = params(planned, look).tracked_batch("pooling", LAYOUT.pooled, [])(job)["token"]
    assert bool(token) == look
    assert Token(LAYOUT.batch(LAYOUT.pooled).format(**job)).text == token
    assert [json.loads(path.read_text())["files"] for path in tmp_path.rglob("tokens/**/*.json")] == (
        [{"results/pooled/cnn/a.h5": None}] if look else []
    )


def test_jobs_that_read_slides_know_paths_and_limits_which_rerun_nothing(planned):
    number, own = planned.batch_of("y")
    found = params(planned).reading(["y", "z"], threads=2)(Job(batch=number), output=[])
    assert found == {"paths": {s: f"{s}.svs" for s in own}, "limits": 9, "on_bad_slide": "fail", "threads": 2}
