"""What jobs cost: the sum of their seconds, the largest of their peaks, and nothing where either is not known."""

import os
import time

import pytest

from slidecaf.files.benchmarks import cost_of
from slidecaf.files.manifests import LEFT_ALONE

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
UNKNOWN = {"seconds": None, "memory_gib": None}


def job(folder, name, seconds, memory):
    path = folder / f"benchmarks/{name}.tsv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:09\t{memory}\t0\t0\t0\t0\t0\t0\t1\n")
    (folder / name).write_text("a manifest")
    return folder / name, path


def test_seconds_are_summed_and_memory_is_the_largest_jobs(tmp_path):
    jobs = [job(tmp_path, "a", 12.25, 512), job(tmp_path, "b", 100, 1536), job(tmp_path, "c", 0.1, 64)]
    assert cost_of(jobs) == {"seconds": pytest.approx(112.35, abs=0.06), "memory_gib": 1536 / 1024}


def test_a_job_too_short_for_its_memory_to_be_measured_counts_with_its_seconds(tmp_path):
    assert cost_of([job(tmp_path, "a", 2, 1024), job(tmp_path, "b", 1, "NA")]) == {"seconds": 3, "memory_gib": 1}
    assert cost_of([job(tmp_path, "b", 1, "-")]) == {"seconds": 1, "memory_gib": None}


def test_nothing_is_said_where_a_jobs_time_is_gone_or_there_is_no_job(tmp_path):
    kept, gone = job(tmp_path, "a", 2, 1024), job(tmp_path, "b", 1, 1)
    gone[1].unlink()
    os.utime(gone[0], (10**9, 10**9))
    assert cost_of([kept, gone]) == UNKNOWN
    assert cost_of([]) == UNKNOWN
    assert cost_of([kept, job(tmp_path, "c", "NA", 1)]) == UNKNOWN


def test_nothing_is_said_where_a_rerun_left_files_of_its_batch_alone(tmp_path):
    jobs = [job(tmp_path, "batch-0.tsv", 2, 1024), job(tmp_path, "batch-1.tsv", 1, 1)]
    (tmp_path / f".batch-1.tsv.{LEFT_ALONE}").write_text("gbm-1\n")
    assert cost_of(jobs) == UNKNOWN
    assert cost_of(jobs[:1]) == {"seconds": 2, "memory_gib": 1}


def test_the_benchmark_file_of_a_fresh_job_is_waited_for(tmp_path, monkeypatch):
    made, benchmark = job(tmp_path, "a", 2, 1024)
    content, naps = benchmark.read_text(), []
    benchmark.unlink()

    def nap(duration):
        naps.append(duration)
        if len(naps) == 3:
            benchmark.write_text(content)

    monkeypatch.setattr(time, "sleep", nap)
    assert cost_of([(made, benchmark)]) == {"seconds": 2, "memory_gib": 1}
    assert len(naps) == 3
