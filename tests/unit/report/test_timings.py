"""Timings by rule."""

import pytest

from slidecaf.report.timings import duration_text, rule_timings

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def test_jobs_of_a_rule_are_summed_and_the_longest_rule_stands_first(tmp_path):
    batches = [("tiles/a/batch-0.tsv", 2, 100), ("tiles/b/batch-0.tsv", 3, 300)]
    for path, seconds, memory in (*batches, ("encoder/a.tsv", 9, 50)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{HEADER}{seconds}\t0:00:0{seconds}\t{memory}\t0\t0\t0\t0\t0\t0\t1.5\n")
    (tmp_path / "study.tsv").write_text(f"{HEADER}0.02\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n")
    encoder, tiles, study = rule_timings(tmp_path)
    assert encoder == {"rule": "encoder", "jobs": 1, "seconds": 9, "longest": 9, "cpu": 1.5, "memory": 50}
    assert tiles == {"rule": "tiles", "jobs": 2, "seconds": 5, "longest": 3, "cpu": 3, "memory": 300}
    assert (study["rule"], study["memory"], study["cpu"]) == ("study", None, 0)


def test_a_study_without_benchmark_files_has_no_timings(tmp_path):
    assert rule_timings(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (3599.7, "1 h 0 min"), (7620, "2 h 7 min")],
)
def test_times_are_said_as_people_do(seconds, said):
    assert duration_text(seconds) == said
