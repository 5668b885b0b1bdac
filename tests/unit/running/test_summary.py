"""What a run came to: warnings, and failures with slide, rule, reason, log and what to do."""

import pytest

from slidecaf.logs import WATCH, tell
from slidecaf.running.progress import Progress
from slidecaf.running.summary import ended, failure_table, run_table


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv(WATCH, str(tmp_path))
    return Progress(tmp_path)


def failure(run, rule, wildcards, log, cluster_log="", **state):
    run.start(0, rule, wildcards, log)
    if state:
        tell(log, state)
    run.fail([0], cluster_log)
    return run


def test_a_failure_names_slide_rule_reason_log_and_what_to_do(run, tmp_path):
    run.plan({"tiles": 2, "total": 2})
    run = failure(
        run,
        "tiles",
        {"features": "cnn", "slide": "a"},
        "results/a.log",
        errors=["slide a: torn; take an undamaged copy."],
        fault=False,
    )
    said = failure_table(run, tmp_path)
    assert "tiles of slide a (cnn) failed:\n    slide a: torn; take an undamaged copy.\n    log: results/a.log" in said
    assert "1 of 2 jobs failed; what is done is kept." in said
    assert "on_bad_slide: exclude" in said
    assert "the cluster's" not in said


def test_of_slides_that_share_a_job_every_failed_one_is_named(run, tmp_path):
    errors = ["slide b: torn; take an undamaged copy.", "slide d: empty; take a whole copy."]
    said = failure_table(
        failure(run, "features", {"features": "cnn-336", "batch": "3"}, "results/3.log", errors=errors), tmp_path
    )
    assert "features, batch 3 (cnn-336) failed:\n    slide b: torn; take an undamaged copy.\n    slide d: " in said
    assert "log: results/3.log" in said
    assert "on_bad_slide: exclude" in said
    many = [f"slide {n}: torn; take an undamaged copy." for n in range(50)]
    said = failure_table(failure(run, "features", {"batch": "4"}, "results/4.log", errors=many), tmp_path)
    assert "slide 19: torn" in said
    assert "slide 20: torn" not in said
    assert "and 30 more, in the log" in said


def test_a_fault_shows_the_end_of_its_log(run, tmp_path):
    (tmp_path / "b.log").write_text("".join(f"line {n}\n" for n in range(20)))
    run = failure(run, "svm", {}, "b.log", errors=["This is a fault in slidecaf."], fault=True)
    said = failure_table(run, tmp_path)
    assert "line 19\n    This is a fault" in said
    assert "line 3\n" not in said
    assert "on_bad_slide" not in said


def test_a_job_that_was_killed_without_a_word_says_what_that_may_be(run, tmp_path):
    said = failure_table(failure(run, "features", {"slide": "a"}, "none.log"), tmp_path)
    assert "run out of memory" in said


def test_of_a_job_that_a_cluster_ended_the_clusters_log_is_shown(run, tmp_path):
    (tmp_path / "cluster.log").write_text("slurmstepd: error: exceeded memory limit\n")
    said = failure_table(failure(run, "tiles", {"slide": "a"}, "a.log", "cluster.log"), tmp_path)
    assert "slurmstepd: error: exceeded memory limit" in said
    assert "the cluster's: cluster.log" in said


def test_warnings_are_counted_and_shown(run):
    for number in range(2):
        run.start(number, "tiles", {"slide": "ab"[number]}, f"{number}.log")
    tell("0.log", {"warnings": ["no tissue"]})
    run.finish(0)
    run.finish(1)
    assert run_table(run, 90) == "2 jobs in 2 min, 1 warning\n  tiles of slide a: no tissue"


def test_who_ended_a_run_is_said():
    assert ended(143) == "Ended by SIGTERM; what is done is kept. The same command goes on from there."
    assert "SIGINT" in ended(130)
    assert ended(1) == ""
