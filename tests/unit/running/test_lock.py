"""One run a study, also where the file system has no locks."""

import errno
import fcntl
import os
import re
import subprocess
import sys

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.files.locks import NoLocks, try_lock
from slidecaf.running.lock import LockFile, lock_study

UNSUPPORTED = ["ENOSYS", "ENOLCK", "EOPNOTSUPP", "ENOTSUP"]


def refuse(monkeypatch, code):
    """Let every lock be answered by an error."""
    number = getattr(errno, code)

    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_lock_is_held_once_and_ends_with_its_file(tmp_path):
    with open(tmp_path / "x", "w") as first, open(tmp_path / "x") as second:
        assert try_lock(first)
        assert not try_lock(second)
        first.close()
        assert try_lock(second)


@pytest.mark.parametrize("code", UNSUPPORTED)
def test_a_file_system_without_locks_is_known(tmp_path, monkeypatch, code):
    refuse(monkeypatch, code)
    with open(tmp_path / "x", "w") as file, pytest.raises(NoLocks):
        try_lock(file)


@pytest.mark.parametrize("code", UNSUPPORTED)
def test_without_locks_a_file_lets_one_run_in_and_says_who_holds_it(tmp_path, monkeypatch, capsys, code):
    refuse(monkeypatch, code)
    with lock_study(tmp_path):
        said = rf"another run is at work in {tmp_path} \(process {os.getpid()} on .+\); wait .* delete"
        with pytest.raises(SlidecafError, match=said):
            lock_study(tmp_path)
    with lock_study(tmp_path) as again:
        assert isinstance(again, LockFile)
    assert "without locks" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / ".snakemake").iterdir()] == ["slidecaf.lock"]


def test_a_lock_file_that_a_killed_run_left_is_named_with_what_to_delete(tmp_path, monkeypatch):
    code = "import sys; from slidecaf.running.lock import *; import os; LockFile(Path(sys.argv[1])); os._exit(9)"
    (tmp_path / ".snakemake").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    refuse(monkeypatch, "ENOSYS")
    with pytest.raises(SlidecafError, match="where that process is gone, delete") as caught:
        lock_study(tmp_path)
    os.unlink(re.search(r"delete (.*)\.$", str(caught.value))[1])
    lock_study(tmp_path).close()


def test_a_lock_file_ends_with_a_process_that_never_closed_it(tmp_path):
    """As a plain snakemake holds it: from its first job to its end."""
    code = "import sys; from slidecaf.running.lock import *; held = LockFile(Path(sys.argv[1]))"
    (tmp_path / ".snakemake").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert not list((tmp_path / ".snakemake").iterdir())


def test_a_lock_file_given_back_does_not_take_the_next_runs_away(tmp_path):
    (tmp_path / ".snakemake").mkdir()
    first = LockFile(tmp_path)
    first.close()
    second = LockFile(tmp_path)
    first.close()
    assert (tmp_path / LockFile.NAME).exists()
    second.close()


def test_another_error_of_the_system_is_a_sentence(tmp_path, monkeypatch):
    refuse(monkeypatch, "EIO")
    with pytest.raises(SlidecafError, match=r"cannot be locked .*Input/output error.*see whether its disk answers"):
        lock_study(tmp_path)
