"""How far a run is, by its events, and what is said of it."""

import io
import logging

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.logs import job, logger, progress
from slidecaf.running import watch
from slidecaf.running.run_state import RunState, duration, job_name
from slidecaf.running.screen import Screen
from slidecaf.running.summary import failure_table, run_table


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def state(tmp_path, clock):
    return RunState(tmp_path, clock=clock)


def plan(state, **jobs):
    state.plan({**jobs, "all": 1, "total": sum(jobs.values()) + 1})


def test_time_left_is_that_of_jobs_like_those_that_ended(state, clock):
    plan(state, tiles=4)
    assert state.left == (None, False)
    for number in range(2):
        state.start(number, "tiles", {"slide": str(number)}, [])
        clock.now += 10
        state.finish(number)
    assert state.left == (20.0, True)
    state.start(2, "tiles", {"slide": "2"}, [])
    clock.now += 4
    assert state.left[0] == pytest.approx(16.0)
    assert state.line == "tiles 3 of 4, 16 s left"


def test_time_left_is_the_least_while_a_rule_has_not_run(state, clock):
    plan(state, tiles=2, features=2)
    state.start(0, "tiles", {}, [])
    clock.now += 10
    state.finish(0)
    assert state.left == (10.0, False)
    state.start(1, "tiles", {}, [])
    assert "at least 10 s left" in state.line


def test_jobs_side_by_side_share_the_time(state, clock):
    plan(state, tiles=8)
    for number in range(4):
        state.start(number, "tiles", {}, [])
    clock.now += 10
    for number in range(4):
        state.finish(number)
    assert state.left == (10.0, True)


def test_a_running_job_that_tells_how_far_it_is_gives_patches_a_second_and_time(state, clock, tmp_path, monkeypatch):
    monkeypatch.setenv(watch.FOLDER, str(tmp_path))
    plan(state, features=2)
    state.start(0, "features", {"slide": "a", "features": "cnn"}, ["a.log"])
    state.look()
    clock.now += 10
    watch.tell("a.log", {"done": 500, "total": 1000, "unit": "patches"})
    state.look()
    assert state.rate == 50.0
    assert state.left == (30.0, True)
    assert state.line == "features 1 of 2, 50 patches/s, 30 s left"
    clock.now += 10
    watch.tell("a.log", {"done": 1000, "total": 1000, "unit": "patches"})
    state.finish(0)
    state.look()
    assert state.rate == 50.0


def test_what_a_job_says_reaches_the_watcher(tmp_path, monkeypatch):
    monkeypatch.setenv(watch.FOLDER, str(tmp_path))
    log = tmp_path / "a.log"

    def work():
        with job(log):
            logger.warning("odd")
            with progress(10, "a") as advance:
                advance(10)
            raise SlidecafError("slide a: no; do this.")

    with pytest.raises(SystemExit):
        work()
    told = watch.told(tmp_path, log)
    assert (told["done"], told["total"], told["unit"]) == (10, 10, "patches")
    assert told["warnings"] == ["odd"]
    assert told["error"] == "slide a: no; do this."
    assert told["fault"] is False


def test_without_a_watcher_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(watch.FOLDER, raising=False)
    with job(tmp_path / "a.log"):
        logger.warning("odd")
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_a_failure_names_slide_rule_reason_log_and_what_to_do(state, tmp_path, monkeypatch):
    monkeypatch.setenv(watch.FOLDER, str(tmp_path))
    plan(state, tiles=2)
    state.start(0, "tiles", {"features": "cnn", "slide": "a"}, ["results/a.log"])
    watch.tell("results/a.log", {"error": "slide a: torn; take an undamaged copy.", "fault": False})
    assert "tiles of slide a (cnn)" in state.fail(0, "tiles", ["results/a.log"])
    said = failure_table(state.summary(), tmp_path)
    assert "tiles of slide a (cnn) failed:\n    slide a: torn; take an undamaged copy.\n    log: results/a.log" in said
    assert "1 of 2 jobs failed; what is done is kept." in said
    assert "on_bad_slide: exclude" in said


def test_a_fault_shows_the_end_of_its_log(state, tmp_path, monkeypatch):
    monkeypatch.setenv(watch.FOLDER, str(tmp_path))
    (tmp_path / "b.log").write_text("".join(f"line {n}\n" for n in range(20)))
    state.start(0, "svm", {}, ["b.log"])
    watch.tell("b.log", {"error": "This is a fault in slidecaf.", "fault": True})
    state.fail(0, "svm", ["b.log"])
    said = failure_table(state.summary(), tmp_path)
    assert "line 19\n    This is a fault" in said
    assert "line 3\n" not in said
    assert "on_bad_slide" not in said


def test_a_job_that_was_killed_without_a_word_says_what_that_may_be(state, tmp_path):
    state.start(0, "features", {"slide": "a"}, ["none.log"])
    state.fail(0, "features", ["none.log"])
    assert "run out of memory" in failure_table(state.summary(), tmp_path)


def test_warnings_are_counted_and_shown():
    summary = {"jobs": 2, "done": 2, "failures": [], "warnings": [{"name": "tiles of slide a", "text": "no tissue"}]}
    assert run_table(summary, 90) == "2 jobs in 2 min, 1 warning\n  tiles of slide a: no tissue"


def test_times_and_jobs_are_said_for_a_person():
    assert [duration(seconds) for seconds in (0.4, 59, 90, 3600, 12_000)] == [
        "0 s",
        "59 s",
        "2 min",
        "1 h 0 min",
        "3 h 20 min",
    ]
    assert job_name("scores", {}) == "scores"
    assert job_name("svm", {"method": "m", "part": "fold-1"}) == "svm (m, fold-1)"


def test_without_a_terminal_lines_come_now_and_then_and_at_the_end(state, clock):
    stream = io.StringIO()
    screen = Screen(stream, clock=clock)
    plan(state, tiles=20)
    for number in range(20):
        state.start(number, "tiles", {}, [])
        clock.now += 1
        state.finish(number)
        screen.show(state)
    lines = stream.getvalue().splitlines()
    assert lines == ["10 of 20 jobs", "20 of 20 jobs"]


def test_snakemakes_events_become_lines_and_a_summary(tmp_path, monkeypatch, capsys):
    from snakemake_interface_logger_plugins.common import LogEvent

    from snakemake_logger_plugin_slidecaf import LogHandler

    monkeypatch.setenv(watch.FOLDER, str(tmp_path))
    handler = LogHandler(None, None)
    handler.setFormatter(logging.Formatter("%(message)s"))

    def event(kind, level=logging.INFO, message="", **extra):
        record = logging.LogRecord("snakemake", level, "", 0, message, None, None)
        record.__dict__.update(event=kind, **extra)
        handler.handle(record)

    event(LogEvent.RUN_INFO, stats={"tiles": 2, "all": 1, "total": 3})
    for number, slide in enumerate("ab"):
        event(LogEvent.JOB_INFO, jobid=number, rule_name="tiles", wildcards={"slide": slide}, log=[f"{slide}.log"])
    event(LogEvent.JOB_FINISHED, job_id=0)
    event(None, message="Select jobs to execute...")
    event(None, logging.ERROR, message="a config that cannot be read")
    event(LogEvent.ERROR, logging.ERROR, message="CalledProcessError in file x", exception="RuleException")
    event(LogEvent.JOB_ERROR, logging.ERROR, jobid=1, rule_name="tiles", log=["b.log"])
    event(None, logging.ERROR, message="Exiting because a job execution failed.")
    handler.close()
    said = capsys.readouterr().err
    assert "failed: tiles of slide b" in said
    assert "a config that cannot be read" in said
    assert "Select jobs" not in said
    assert "Exiting" not in said
    assert "CalledProcessError" not in said
    from slidecaf.files.tables import read_json

    summary = read_json(tmp_path / "run.json")
    assert (summary["jobs"], summary["done"], len(summary["failures"])) == (2, 1, 1)


def test_a_job_tried_again_has_failed_only_if_its_last_attempt_did(state):
    plan(state, tiles=2)
    for slide, number in (("a", 0), ("b", 1)):
        for _ in range(2):
            state.start(number, "tiles", {"slide": slide}, [f"{slide}.log"])
            state.fail(number, "tiles", [f"{slide}.log", "cluster.log"])
    assert [job.name for job in state.failures] == ["tiles of slide a", "tiles of slide b"]
    state.start(0, "tiles", {"slide": "a"}, ["a.log"])
    assert "1 failed" in state.line
    state.finish(0)
    assert [job.name for job in state.failures] == ["tiles of slide b"]


def test_of_a_job_that_a_cluster_ended_the_clusters_log_is_shown(state, tmp_path):
    plan(state, tiles=1)
    (tmp_path / "cluster.log").write_text("slurmstepd: error: exceeded memory limit\n")
    state.start(0, "tiles", {"slide": "a"}, ["a.log"])
    state.fail(0, "tiles", ["a.log", "cluster.log"])
    said = failure_table(state.summary(), tmp_path)
    assert "slurmstepd: error: exceeded memory limit" in said
    assert "the cluster's: cluster.log" in said


def test_of_slides_that_share_a_job_every_failed_one_is_named(state, tmp_path, monkeypatch, clock):
    monkeypatch.setenv(watch.FOLDER, str(tmp_path))
    plan(state, **{"features-cnn-336-0": 1, "features-cnn-336-1": 1})
    logs = [f"results/{slide}.log" for slide in "abcd"]
    state.start(0, "features-cnn-336-0", {}, logs)
    clock.now += 10
    watch.tell(logs[0], {"done": 100, "total": 100, "unit": "patches"})
    watch.tell(logs[1], {"error": "slide b: torn; take an undamaged copy.", "fault": False})
    state.look()
    assert state.line == "features 1 of 2, 1 min left"  # a quarter of the first took 10 s
    watch.tell(logs[3], {"error": "slide d: empty; take a whole copy.", "fault": False})
    state.fail(0, "features-cnn-336-0", logs)
    said = failure_table(state.summary(), tmp_path)
    assert "features of 4 slides (cnn-336) failed:\n    slide b: torn; take an undamaged copy.\n    slide d: " in said
    assert "log: results/b.log" in said
    assert "the cluster's" not in said
    assert "on_bad_slide: exclude" in said
    state.start(0, "features-cnn-336-0", {}, logs)
    state.fail(0, "features-cnn-336-0", logs)
    assert "ended without a word" in failure_table(state.summary(), tmp_path)


def test_of_a_running_job_only_the_slide_at_work_is_asked_and_at_its_end_all(state, tmp_path, monkeypatch):
    monkeypatch.setenv(watch.FOLDER, str(tmp_path))
    plan(state, **{"features-cnn-336-0": 1})
    logs = [f"{slide}.log" for slide in range(100)]
    state.start(0, "features-cnn-336-0", {}, logs)
    asked, told = [], watch.told
    monkeypatch.setattr(watch, "told", lambda folder, log: asked.append(log) or told(folder, log))
    watch.tell("0.log", {"done": 5, "total": 5, "unit": "patches"})
    watch.tell("1.log", {"done": 1, "total": 5, "unit": "patches"})
    state.look()
    state.look()
    assert asked == ["0.log", "1.log", "2.log", "1.log", "2.log"]
    watch.tell("0.log", {"done": 5, "total": 5, "unit": "patches", "error": "the disk is full", "fault": False})
    state.fail(0, "features-cnn-336-0", logs)
    assert state.summary()["failures"][0]["error"] == "the disk is full"
