"""A study of both tasks on a cluster: what it ends with, and what its jobs ask for."""

from itertools import pairwise

import pytest

from tests.slurm.conftest import accounted, make_study

NETWORK = ("rule_encoder", "rule_features")


@pytest.fixture(scope="module")
def study(site, tmp_path_factory):
    """The study as `make slurm` runs it."""
    study = make_study(tmp_path_factory.mktemp("studies") / "cluster", site)
    study.first_run = study.finish()
    return study


@pytest.fixture(scope="module")
def rows(study):
    """What the accounting knows of its jobs."""
    rows = accounted()
    assert {row["State"] for row in rows} == {"COMPLETED"}
    assert len(rows) > 50
    return rows


def test_a_cluster_and_one_machine_end_with_the_same_bytes(study, undisturbed, promise):
    ours, theirs = study.results(), undisturbed.results()
    assert len(theirs) > 60
    assert [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)] == []
    assert "score" in study.first_run.stdout
    assert study.first_run.stdout.splitlines()[-1].startswith("All results are in")
    promise("A study on SLURM ends with the same bytes as on one machine", provoked=len(theirs), survived=len(ours))


@pytest.mark.parametrize("profile", ["slurm", "default"])
def test_after_a_run_on_the_cluster_there_is_nothing_to_do_anywhere(study, profile):
    done = study.snakemake("--workflow-profile", study.root / "profiles" / profile, "-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_two_jobs_never_hold_the_one_gpu(rows, promise):
    held = sorted((row["Start"], row["End"]) for row in rows if "gres/gpu=" in row["AllocTRES"])
    waited = [row for row in rows if "gres/gpu=" in row["AllocTRES"] and row["Submit"] < row["Start"]]
    assert len(held) == 9
    assert len(waited) >= 3  # there was something to keep apart
    assert all(end <= start for (_, end), (start, _) in pairwise(held))
    promise("Two jobs never hold one GPU at a time", provoked=len(held))


def test_each_job_asks_for_memory_time_and_its_threads_and_for_a_gpu_only_to_run_a_network(rows):
    for row in rows:
        network = row["Comment"].startswith(NETWORK)
        asked = dict(part.split("=") for part in row["ReqTRES"].split(","))
        assert asked.get("gres/gpu", "0") == ("1" if network else "0"), row
        assert int(row["TimelimitRaw"]) >= 15, row
        assert row["ReqMem"][-1] == "M", row
        assert int(row["ReqMem"][:-1]) >= 1000, row
        threads = "2" if row["Comment"].startswith(("rule_features", "rule_patch_svm")) else "1"
        assert asked["cpu"] == threads, row
