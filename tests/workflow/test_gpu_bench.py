"""The command that measures a GPU, run dry on the CPU: every row is there, and CPU and CPU agree."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.long

ROWS = {
    "features and the CPU's",
    "matrices",
    "dense",
    "patchwise",
    "reading",
    "cores to feed",
    "compiled",
    "training",
    "left-out SVMs, synthetic",
}


def test_the_gpus_benchmark_runs_dry_and_writes_what_it_prints(repository, tmp_path):
    command = [sys.executable, repository / "benchmarks/gpu.py", "--dry", "--models", "alexnet"]
    said = subprocess.run(
        [*command, "--json", tmp_path / "gpu.json"], capture_output=True, text=True, check=True, timeout=300
    ).stdout
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert "no GPU: a dry run on the CPU" in found["card"]
    assert {row["what"] for row in found["rows"]} == ROWS
    assert found["left_out"] == []
    assert len(said.splitlines()) == 1 + len(found["rows"])
    for row in found["rows"]:
        if row["what"] == "features and the CPU's":
            assert row["apart"] <= (0 if row["precision"] == "fp32" else row["at_most"])
        if row["what"] == "patchwise":
            assert min(row[key] for key in ("network", "extraction", "of_matrices", "into_a_file")) > 0
        if row["what"] == "compiled":
            assert min(row[key] for key in ("network", "as_it_is", "seconds_to_compile")) > 0
        if row["what"] == "training":
            assert min(row["network"], row["loop"]) > 0
    several = {
        what: {tuple(row[key] for key in keys) for row in found["rows"] if row["what"] == what}
        for what, keys in (("training", ("model",)), ("dense", ("how",)), ("left-out SVMs, synthetic", ("rows",)))
    }
    assert {what: len(own) for what, own in several.items()} == dict(zip(several, (2, 3, 3), strict=True))


def test_without_a_gpu_it_says_so(repository):
    command = [sys.executable, repository / "benchmarks/gpu.py"]
    done = subprocess.run(command, capture_output=True, text=True, env={"CUDA_VISIBLE_DEVICES": ""}, timeout=300)
    assert done.returncode == 1
    assert "there is no GPU that torch can use; --dry runs this on the CPU" in done.stderr
