"""Jobs that are killed, and one that always fails: a run that meets them all, on the slides of one study."""

import os
import signal
import subprocess
from contextlib import suppress

import pytest

from tests.slurm.cluster import run, wait_for
from tests.slurm.conftest import accounted, alone_on_the_gpu, apart, make_study, state

WAIT = 900  # seconds: on a machine with other work to do, a job takes a minute
UNDECIDED = ([], ["PENDING"], ["RUNNING"], ["COMPLETING"])
DAMAGED = "lgg-3"
TILED, POOLED = ("gbm-1", "gbm-2"), ("lgg-1", "lgg-2", "gbm-3")
KILLED = {
    "cancel": ("tiles", "gbm-1", {"CANCELLED"}),
    "time": ("tiles", "gbm-2", {"TIMEOUT"}),
    # whether SLURM or Snakemake, whose step was killed, is the first to say so
    "memory": ("pooling", "lgg-1", {"OUT_OF_MEMORY", "FAILED"}),
    "node": ("pooling", "lgg-2", {"NODE_FAIL"}),
}


def folder_of(rule):
    """Return the folder of results that a rule fills."""
    return f"{'pooled' if rule == 'pooling' else rule}/dense-96"


@pytest.fixture(scope="module")
def study(site, undisturbed, tmp_path_factory):
    """The first half of a study, up to tiles or to one vector a slide; it ends with an error: a slide is damaged."""
    study = make_study(tmp_path_factory.mktemp("studies") / "faults", site)
    slide = study / f"slides/{DAMAGED}.png"
    slide.write_bytes(slide.read_bytes()[:20_000])
    for name, (rule, slide, _) in KILLED.items():
        manifest = study.manifest(folder_of(rule), slide)
        study.fault(name, rule, manifest, "fill:2000" if name == "memory" else "hold")
    asked = [study.manifest(folder_of("tiles"), slide) for slide in (*TILED, DAMAGED)]
    asked += [study.manifest(folder_of("pooling"), slide) for slide in POOLED]
    with open(study / "said", "w") as said:
        process = subprocess.Popen(
            study.run_command(*asked),
            stdout=said,
            stderr=subprocess.STDOUT,
            env=study.environment(),
            start_new_session=True,
        )
        try:
            disturb(study)
            study.returncode = process.wait(timeout=WAIT)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            for node in ("node1", "node2"):
                run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
    study.said = (study / "said").read_text()
    return study


def disturb(study):
    """Provoke one fault after the other."""
    held = {name: wait_for(f"{name}", lambda name=name: study.held(name), WAIT) for name in ("cancel", "time")}
    run("scancel", held["cancel"])
    run("scontrol", "update", f"jobid={held['time']}", "TimeLimit=1")
    job = wait_for("a job to be killed with its node", lambda: study.held("node"), WAIT)
    wait_for("the time limit", lambda: state(held["time"]) == "TIMEOUT", WAIT)
    # what is to end in another way has done so, or a lost node could be what ends it
    wait_for("the memory limit", lambda: states(attempts(study, "memory"))[:1] not in UNDECIDED, WAIT)
    wait_for("the last attempt at the damaged slide", lambda: states(damaged(study)) == ["FAILED"] * 3, WAIT)
    node = run("squeue", "-h", "-j", job, "-o", "%N")  # most often node2; the other where that was full
    run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    wait_for("the job to be lost", lambda: state(job) == "NODE_FAIL", WAIT)
    run("scontrol", "update", f"nodename={node}", "state=resume")


def attempts(study, name):
    rule, slide, _ = KILLED[name]
    return accounted(study, f"rule_{rule}_wildcards_dense-96_{study.batch_of(slide)}")


def damaged(study):
    return accounted(study, f"rule_tiles_wildcards_dense-96_{study.batch_of(DAMAGED)}")


def states(tried):
    return [row["State"].split()[0] for row in tried]


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_job_is_tried_again_with_more_and_ends_right(study, undisturbed, name, promise):
    rule, slide, how = KILLED[name]
    first, *_, last = tried = attempts(study, name)  # more than two where it was on the lost node too
    assert states(tried)[0] in how
    assert last["State"] == "COMPLETED"
    assert int(last["ReqMem"][:-1]) == len(tried) * int(tried[0]["ReqMem"][:-1])
    assert int(last["TimelimitRaw"]) >= len(tried) * 15
    (row,) = (study / study.manifest(folder_of(rule), slide)).read_text().splitlines()[1:]
    assert row in (undisturbed / undisturbed.manifest(folder_of(rule), slide)).read_text().splitlines()
    file = f"results/{folder_of(rule)}/{slide}.h5"
    assert (study / file).read_bytes() == (undisturbed / file).read_bytes()
    if name == "memory":
        log = study / f".snakemake/slurm_logs/rule_{rule}/dense-96_{study.batch_of(slide)}/{first['JobIDRaw']}.log"
        assert "exceeded memory limit" in log.read_text()
    promise("A job that SLURM ends (cancelled, memory, time, a lost node) is tried again with more and ends right")


def test_a_job_that_always_fails_ends_the_run_with_its_log_and_leaves_the_others_whole(study, undisturbed, promise):
    assert states(damaged(study)) == ["FAILED"] * 3
    assert study.returncode != 0
    assert f"slide {DAMAGED}" in study.said
    assert f"results/logs/tiles/dense-96/batch-{study.batch_of(DAMAGED)}.log" in study.said
    ours = study.results()
    (files, rows), (all_files, all_rows) = apart(ours), apart(undisturbed.results())
    assert files == {name: all_files[name] for name in files}
    assert all(set(listed) < set(all_rows[folder]) for folder, listed in rows.items())
    for folder, slides in (("tiles", (*TILED, *POOLED)), ("pooled", POOLED)):
        for kind in ("h5", "tsv"):
            assert len([name for name in ours if name.startswith(f"{folder}/") and name.endswith(kind)]) == len(slides)
    assert not [name for name in ours if DAMAGED in name or f"batch-{study.batch_of(DAMAGED)}." in name]
    promise("A job on SLURM that always fails leaves the other slides' results whole", provoked=1)


def test_jobs_that_are_tried_again_never_hold_the_one_gpu_together(study, promise):
    held = alone_on_the_gpu(accounted(study))
    assert len(held) >= len(POOLED)
    promise("Two jobs never hold one GPU at a time", provoked=len(held))
