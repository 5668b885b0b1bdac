"""Results dated in the future are dated anew, in their order, and others are left alone."""

import os
import time

from slidecaf.running.clock import date_anew

DAY = 86_400 * 10**9


def test_results_of_the_future_keep_their_order_and_come_before_now(tmp_path):
    (tmp_path / ".snakemake/incomplete").mkdir(parents=True)
    now, folder = time.time_ns(), tmp_path / "results/tiles"
    folder.mkdir(parents=True)
    ages = {"old": -DAY, "first": 3 * DAY, "same": 3 * DAY, "next": 3 * DAY + 5, "last": 4 * DAY}
    for name, age in ages.items():
        (folder / name).write_text(name)
        os.utime(folder / name, ns=(now + age, now + age))
    assert date_anew(tmp_path, tmp_path / "results") == 0, "no job was run in the future"
    os.utime(tmp_path / ".snakemake/incomplete", ns=(now + DAY, now + DAY))
    assert date_anew(tmp_path, tmp_path / "results") == 4
    made = {name: (folder / name).stat().st_mtime_ns for name in ages}
    assert made["old"] == now - DAY
    assert made["old"] < made["first"] == made["same"] < made["next"] < made["last"] <= time.time_ns()
    assert date_anew(tmp_path, tmp_path / "results") == 0
