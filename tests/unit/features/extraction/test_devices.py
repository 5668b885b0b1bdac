"""No two extractions hold one GPU."""

import subprocess
import sys
import threading
import time

import torch

from slidecaf.features.extraction import devices

HOLD = (
    "import sys, time; from slidecaf.features.extraction.devices import lock_one\n"
    "with lock_one(2, wait=0.05, folder=sys.argv[1]) as index:\n"
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
    with devices.lock_one(2, wait=0.05, folder=tmp_path) as third:
        assert third == one
        assert time.monotonic() - start >= 0.2
    second.kill()


def test_a_schedulers_choice_is_respected_and_otherwise_a_lock_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with devices.device() as one, devices.device() as two:
        assert one == two == torch.device("cuda", 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with devices.device() as one, devices.device() as two:
        assert (one.index, two.index) == (0, 1)


def test_without_a_gpu_the_cpu_is_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with devices.device() as device:
        assert device == torch.device("cpu")
