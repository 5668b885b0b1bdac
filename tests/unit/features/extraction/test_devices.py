"""No two extractions hold one GPU."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from slidecaf.errors import SlidecafError
from slidecaf.features.extraction import devices

HOLD = (
    "import sys, time; from slidecaf.features.extraction.devices import lock_one\n"
    "with lock_one(['a', 'b'], wait=0.05, folder=sys.argv[1]) as index:\n"
    "    print(index, flush=True); time.sleep(60)"
)


def hold(folder):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE)
    return process, int(process.stdout.readline())


def test_each_process_holds_a_device_of_its_own_and_a_killed_one_frees_it(tmp_path):
    first, one = hold(tmp_path)
    second, two = hold(tmp_path)
    assert {one, two} == {0, 1}
    threading.Timer(0.3, first.kill).start()
    start = time.monotonic()
    with devices.lock_one(["a", "b"], wait=0.05, folder=tmp_path) as third:
        assert third == one
        assert time.monotonic() - start >= 0.2
    second.kill()


@pytest.fixture
def cards(monkeypatch, tmp_path):
    """Return a function that gives this process GPUs, by their UUIDs."""
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def give(*uuids, visible=None):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=uuids[index]))
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return give


def test_the_one_gpu_that_a_scheduler_gives_is_taken_as_given(cards):
    cards("u3", visible="3")
    with devices.device() as one, devices.device() as two:
        assert one == two == torch.device("cuda", 0)


@pytest.mark.parametrize("visible", [None, "0,1"], ids=["a workstation's", "an allocation's"])
def test_of_several_gpus_each_job_takes_one_of_its_own(cards, visible):
    cards("u0", "u1", visible=visible)
    with devices.device() as one, devices.device() as two:
        assert (one.index, two.index) == (0, 1)


def test_a_gpu_is_known_by_every_number_that_it_has(cards):
    cards("u0", "u1", "u2")
    with devices.device() as first:
        assert first.index == 0
        cards("u0", "u2", visible="0,2")
        with devices.device() as other:
            assert other.index == 1  # u2: the first one is held under the number that it has there
        cards("u2", "u0", visible="2,0")
        with devices.device() as other:
            assert other.index == 0


def test_without_a_gpu_the_cpu_is_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with devices.device() as device:
        assert device == torch.device("cpu")


def test_a_folder_without_locks_is_a_sentence_and_no_gpu_is_shared_unseen(monkeypatch, tmp_path):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(SlidecafError, match=r"has no locks \(No locks available\).*TMPDIR.*CUDA_VISIBLE_DEVICES"),
        devices.lock_one(["a"], folder=tmp_path),
    ):
        pass


def test_all_users_can_open_a_gpus_lock_whatever_the_umask_of_who_made_it(tmp_path):
    before = os.umask(0o077)
    try:
        with devices.lock_one(["a"], folder=tmp_path):
            pass
    finally:
        os.umask(before)
    (lock,) = tmp_path.iterdir()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o644


def test_a_gpus_lock_that_cannot_be_opened_is_a_sentence(tmp_path):
    with (
        pytest.raises(SlidecafError, match=r"slidecaf-gpu-a\.lock, the lock of a GPU, cannot be opened \(No such file"),
        devices.lock_one(["a"], folder=tmp_path / "absent"),
    ):
        pass
