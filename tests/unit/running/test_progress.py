"""How far a run is, by its events, and how it is shown."""

import io
import logging

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json
from slidecaf.logs import WATCH, job, logger, progress, tell, told_path
from slidecaf.running.progress import RUNS, Progress, Screen, duration, job_name


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def run(tmp_path, clock, monkeypatch):
    monkeypatch.setenv(WATCH, str(tmp_path))
    return Progress(tmp_path, clock=clock)


def plan(run, **jobs):
    run.plan({**jobs, "all": 1, "total": sum(jobs.values()) + 1})


def started(run, number, rule="tiles", **wildcards):
    run.start(number, rule, wildcards, f"{number}.log")


def test_time_left_is_that_of_jobs_like_those_that_ended(run, clock):
    plan(run, tiles=4)
    assert run.left == (None, False)
    for number in range(2):
        started(run, number)
        clock.now += 10
        run.finish(number)
    assert run.left == (20.0, True)
    started(run, 2)
    clock.now += 4
    assert run.left[0] == pytest.approx(16.0)
    assert run.line == "tiles 3 of 4, 16 s left"


def test_time_left_is_the_least_while_a_rule_has_not_run(run, clock):
    plan(run, tiles=2, features=2)
    started(run, 0)
    clock.now += 10
    run.finish(0)
    assert run.left == (10.0, False)
    started(run, 1)
    assert "at least 10 s left" in run.line


def test_jobs_side_by_side_share_the_time(run, clock):
    plan(run, tiles=8)
    for number in range(4):
        started(run, number)
    clock.now += 10
    for number in range(4):
        run.finish(number)
    assert run.left == (10.0, True)


def test_a_running_job_that_tells_how_far_it_is_gives_patches_a_second_and_time(run, clock):
    plan(run, features=2)
    started(run, 0, "features", batch="0", features="cnn")
    run.look()
    clock.now += 10
    tell("0.log", {"share": 0.5, "patches": 500})
    run.look()
    assert run.rate == 50.0
    assert run.left == (30.0, True)
    assert run.line == "features 1 of 2, 50 patches/s, 30 s left"
    clock.now += 10
    tell("0.log", {"share": 1, "patches": 1000})
    run.finish(0)
    run.look()
    assert run.rate == 50.0


def told(folder, log):
    return read_json(told_path(folder, log))


def test_what_a_job_says_reaches_the_watcher(tmp_path, monkeypatch):
    monkeypatch.setenv(WATCH, str(tmp_path))
    log = tmp_path / "a.log"

    def work():
        with job(log):
            logger.warning("odd")
            with progress(10, "a") as advance:
                advance(10)
            logger.error("slide a: no; do this.")
            raise SlidecafError("slide b: no; do that.")

    with pytest.raises(SystemExit):
        work()
    assert told(tmp_path, log) == {
        "share": 1.0,
        "patches": 10,
        "warnings": ["odd"],
        "errors": ["slide a: no; do this.", "slide b: no; do that."],
        "fault": False,
    }


def test_of_slides_that_share_a_job_patches_add_up_and_the_share_is_the_jobs(tmp_path, monkeypatch):
    monkeypatch.setenv(WATCH, str(tmp_path))
    monkeypatch.setattr("slidecaf.logs.TOLD_EVERY", 0.0)
    log, shares = tmp_path / "a.log", []
    with job(log), progress(4, "batch 0", unit="slides") as next_slide:
        for slide in range(4):
            with progress(10, f"slide {slide}") as advance:
                advance(5)
                shares.append(told(tmp_path, log)["share"])
                advance(5)
            next_slide(1)
            shares.append(told(tmp_path, log)["share"])
    assert shares == [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]
    assert told(tmp_path, log)["patches"] == 40


def test_without_a_watcher_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(WATCH, raising=False)
    with job(tmp_path / "a.log"), progress(1, "a") as advance:
        logger.warning("odd")
        advance(1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_a_watchers_folder_that_is_gone_costs_no_job(tmp_path, monkeypatch):
    monkeypatch.setenv(WATCH, str(tmp_path / "gone"))
    with job(tmp_path / "a.log"):
        logger.warning("odd")
    assert "odd" in (tmp_path / "a.log").read_text()


def test_a_job_tried_again_has_failed_only_if_its_last_attempt_did(run):
    plan(run, tiles=2)
    for slide, number in (("a", 0), ("b", 1)):
        for _ in range(2):
            started(run, number, slide=slide)
            tell(f"{number}.log", {"errors": ["torn"]})
            run.fail([number], "cluster.log")
    assert [job.name for job in run.failures] == ["tiles of slide a", "tiles of slide b"]
    started(run, 0, slide="a")
    assert "1 failed" in run.line
    run.look()
    assert run.running[0].errors == [], "what the earlier attempt told is forgotten"
    run.finish(0)
    assert [job.name for job in run.failures] == ["tiles of slide b"]


def test_of_jobs_that_a_cluster_runs_as_one_those_failed_that_say_so_or_else_all(run, tmp_path):
    plan(run, tiles=2, features=2)
    for _ in range(2):
        started(run, 0, batch="0")
        started(run, 1, "features", batch="0")
        tell("1.log", {"errors": ["slide a: torn; take an undamaged copy."]})
        assert run.fail([0, 1], "cluster.log") == ["failed: features, batch 0: slide a: torn; take an undamaged copy."]
        assert run.fail([0]) == run.fail([1]) == []
    started(run, 0, batch="0")
    started(run, 1, "features", batch="0")
    assert len(run.fail([0, 1], "cluster.log")) == 2
    assert [job.cluster_log for job in run.failures] == ["cluster.log", "cluster.log"]


def test_warnings_come_with_the_jobs_name(run):
    started(run, 0, features="cnn", batch="2")
    tell("0.log", {"warnings": ["slide a has no tissue", "slide b has no tissue"]})
    run.finish(0)
    assert run.warnings == [
        ("tiles, batch 2 (cnn)", "slide a has no tissue"),
        ("tiles, batch 2 (cnn)", "slide b has no tissue"),
    ]


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
    assert job_name("features", {"batch": "3", "features": "cnn-336"}) == "features, batch 3 (cnn-336)"


def test_without_a_terminal_lines_come_now_and_then_and_at_the_end(run, clock):
    stream = io.StringIO()
    screen = Screen(stream, clock=clock)
    plan(run, tiles=20)
    for number in range(20):
        started(run, number)
        clock.now += 1
        run.finish(number)
        screen.show(run)
    lines = stream.getvalue().splitlines()
    assert lines == ["10 of 20 jobs", "20 of 20 jobs"]


def test_on_a_terminal_a_bar_stays_in_its_line_and_failures_stand_above(run):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    screen = Screen(stream)
    plan(run, tiles=2)
    started(run, 0)
    run.finish(0)
    screen.show(run)
    screen.say("failed: tiles")
    screen.show(run)
    screen.close()
    assert "1 of 2 jobs" in stream.getvalue()
    assert "failed: tiles\n" in stream.getvalue()


def test_snakemakes_events_become_lines_and_the_runs_state(tmp_path, monkeypatch, capsys):
    from snakemake_interface_logger_plugins.common import LogEvent

    from snakemake_logger_plugin_slidecaf import LogHandler

    monkeypatch.setenv(WATCH, str(tmp_path))
    handler = LogHandler(None, None)
    handler.setFormatter(logging.Formatter("%(message)s"))

    def event(kind, level=logging.INFO, message="", **extra):
        record = logging.LogRecord("snakemake", level, "", 0, message, None, None)
        record.__dict__.update(event=kind, **extra)
        handler.handle(record)

    event(LogEvent.RUN_INFO, stats={"tiles": 3, "all": 1, "total": 4})
    for number, slide in enumerate("abc"):
        event(LogEvent.JOB_INFO, jobid=number, rule_name="tiles", wildcards={"slide": slide}, log=[f"{slide}.log"])
    event(LogEvent.JOB_FINISHED, job_id=0)
    event(None, message="Select jobs to execute...")
    event(None, logging.ERROR, message="a config that cannot be read")
    event(LogEvent.ERROR, logging.ERROR, message="CalledProcessError in file x", exception="RuleException")
    event(LogEvent.JOB_ERROR, logging.ERROR, jobid=1, rule_name="tiles", log=["b.log", "cluster.log"])
    event(LogEvent.GROUP_ERROR, logging.ERROR, aux_logs=["group.log"], job_error_info=[{"jobid": 2}])
    event(LogEvent.JOB_ERROR, logging.ERROR, jobid=2, rule_name="tiles", log=["c.log"])
    event(None, logging.ERROR, message="Exiting because a job execution failed.")
    handler.close()
    said = capsys.readouterr().err
    assert "failed: tiles of slide b; the other jobs go on" in said
    assert said.count("failed: tiles of slide c") == 1
    assert "a config that cannot be read" in said
    assert "Select jobs" not in said
    assert "Exiting" not in said
    assert "CalledProcessError" not in said
    run = RUNS[-1]
    assert (run.planned.total(), run.done.total()) == (3, 1)
    assert [failed.cluster_log for failed in run.failures] == ["cluster.log", "group.log"]
