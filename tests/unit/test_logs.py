"""What a job's log holds."""

import logging

import pytest

from slidecaf.errors import InputErrors, SlidecafError
from slidecaf.logs import job, logger, progress


def test_a_users_error_is_a_line_in_the_log_without_traceback_and_ends_the_job(tmp_path):

    def work():
        with job(tmp_path / "log"):
            logger.info("begun")
            raise SlidecafError("slide x: no; do this.")

    with pytest.raises(SystemExit) as ended:
        work()
    assert ended.value.code == 1
    log = (tmp_path / "log").read_text()
    assert "begun" in log
    assert "ERROR slide x: no; do this." in log
    assert "Traceback" not in log


def test_a_fault_is_logged_with_its_traceback_and_raised(tmp_path):
    with pytest.raises(ZeroDivisionError), job(tmp_path / "log"):
        _ = 1 / 0
    assert "Traceback" in (tmp_path / "log").read_text()


def test_progress_says_a_line_now_and_then_and_one_at_the_end(caplog):
    with caplog.at_level(logging.INFO, "slidecaf"), progress(10, "slide-1", every=0) as advance:
        advance(4)
        advance(6)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("slide-1: 4 of 10 patches")
    assert "s left" in lines[0]
    assert lines[-1].startswith("slide-1: 10 patches in")


def test_several_errors_are_counted_and_listed():
    assert str(InputErrors("s.tsv", ["a.", "b."])) == "2 errors in s.tsv:\n  a.\n  b."
