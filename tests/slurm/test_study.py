"""A study of both tasks on a cluster: what it ends with, and what its jobs ask for."""

import shutil
import subprocess
import sys
from statistics import median

import pytest

from tests.slurm.cluster import run
from tests.slurm.conftest import IMPATIENT, SHARED, SlurmStudy, accounted, alone_on_the_gpu, make_study

NETWORK = "rule_features"  # by which the network is described


@pytest.fixture(scope="module")
def study(site, tmp_path_factory):
    """The study as `make slurm` runs it."""
    study = make_study(tmp_path_factory.mktemp("studies") / "cluster", site, slides_per_job=SHARED)
    study.first_run = study.finish()
    return study


@pytest.fixture(scope="module")
def rows(study):
    """What the accounting knows of its jobs."""
    rows = accounted(study)
    assert {row["State"] for row in rows} == {"COMPLETED"}
    assert len(rows) > 30
    return rows


def test_a_cluster_and_one_machine_end_with_the_same_bytes(study, undisturbed, promise):
    ours, theirs = study.results(), undisturbed.results()
    assert len(theirs) > 60
    assert [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)] == []
    assert "mean S" in study.first_run.stdout
    assert study.first_run.stdout.splitlines()[-1].startswith("All results are in")
    promise("A study on SLURM ends with the same bytes as on one machine", provoked=len(theirs), survived=len(ours))


@pytest.mark.parametrize("profile", ["slurm", "default"])
def test_after_a_run_on_the_cluster_there_is_nothing_to_do_anywhere(study, profile):
    done = study.snakemake("--workflow-profile", study.root / "profiles" / profile, "-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_two_jobs_never_hold_the_one_gpu(rows, promise):
    held = alone_on_the_gpu(rows)
    assert len(held) >= 2
    promise("Two jobs never hold one GPU at a time", provoked=len(held))


def seconds(text):
    """Return sacct's [[days-]hours:]minutes:seconds.milliseconds as seconds."""
    *days, clock = text.split("-")
    parts = [*map(float, [*days, *clock.split(":")])]
    return sum(part * unit for part, unit in zip(reversed(parts), (1, 60, 3600, 86400), strict=False))


def test_what_a_job_costs_is_said(study, rows, capsys, record_property):
    """Rules that do next to nothing: what is left is the start of a job, Snakemake's twice and the script's.

    With torch it is the features of one small slide.
    """
    used = {}
    for name, rules in {"without torch": ("study", "folds", "left_out"), "with torch": ("features",)}.items():
        ids = [row["JobIDRaw"] for row in rows if row["Comment"].removeprefix("rule_").split("_wild")[0] in rules]
        # all steps of a job are summed in its own row, but not where -X asks for these rows alone
        said = run("sacct", "-nP", "-j", ",".join(ids), "--format", "JobIDRaw,TotalCPU").split()
        used[name] = median(seconds(row.partition("|")[2]) for row in said if row.partition("|")[0] in ids)
        record_property(f"CPU seconds of a job {name}", used[name])
    with capsys.disabled():
        print("\nCPU seconds of a job that does next to nothing:", *(f"{used[name]:.1f} {name}" for name in used))
    assert 0.5 < used["without torch"] < used["with torch"] < 30


def test_each_job_asks_for_memory_time_and_its_threads_and_for_a_gpu_only_to_run_a_network(rows):
    for row in rows:
        network = row["Comment"].startswith(NETWORK)
        asked = dict(part.split("=") for part in row["ReqTRES"].split(","))
        assert asked.get("gres/gpu", "0") == ("1" if network else "0"), row
        assert int(row["TimelimitRaw"]) >= 15, row
        assert row["ReqMem"][-1] == "M", row
        assert int(row["ReqMem"][:-1]) >= 1000, row
        threads = "2" if row["Comment"].startswith(("rule_tiles", "rule_features", "rule_patch_svm")) else "1"
        assert asked["cpu"] == threads, row


def test_a_model_maps_a_slide_on_the_cluster_as_in_its_study(undisturbed, tmp_path):
    """The study itself ran on one machine and stored features; here a job maps a slide of another folder without."""

    def slidecaf(*arguments):
        command = [sys.executable, "-m", "slidecaf.cli", *map(str, arguments)]
        environment = undisturbed.environment()
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=1500)

    done = slidecaf("export", "model", undisturbed.folder, "--method", "svm-cnn", "--to", "model.zip")
    assert done.returncode == 0, done.stderr
    (tmp_path / "new").mkdir()
    shutil.copy(undisturbed / "slides/gbm-4.png", tmp_path / "new")
    done = slidecaf("predict", "model.zip", "new", "--to", "out", "--profile", "slurm", *IMPATIENT)
    assert done.returncode == 0, done.stdout + done.stderr
    out = SlurmStudy(tmp_path / "out", undisturbed.root)
    assert {row["State"] for row in accounted(out)} == {"COMPLETED"}
    for kind in ("confidence", "mask"):
        path = f"results/segmentation/svm-cnn/plain/{kind}/gbm-4.tif"
        assert (out / path).read_bytes() == (undisturbed / path).read_bytes()
