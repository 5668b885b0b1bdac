"""Run the benchmarks that need no GPU, print their rows in one table, and how many hold: what `make bench` calls.

Exits 1 where a row falls short of its goal or a script fails.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from rows import MARK, Row

SCRIPTS = (
    "whole_command.py",
    "extraction.py",
    "dense.py",
    "precision.py",
    "left_out.py",
    "collection_svm.py",
    "confidence_map.py",
    "search.py",
    "tiling.py",
    "feature_file.py",
    "fused.py",
    "start_up.py",
    "dry_run.py",
    "snakemake_cpu.py",
)


def main():
    """Run all, or those that are named."""
    rows, failed = [], []
    for script in sys.argv[1:] or SCRIPTS:
        print(f"== {script}", flush=True)
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name(script)],
            env={**os.environ, "SLIDECAF_BENCH": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        found = []
        for line in process.stdout:
            if line.startswith(MARK):
                found.append(Row(**json.loads(line.removeprefix(MARK))))
            else:
                print(line, end="", flush=True)
        if process.wait() and not any(row.holds is False for row in found):
            failed.append(script)
        rows += found
        print(f"{time.monotonic() - start:.0f} s\n", flush=True)
    print("stage | against | median (range) | goal | verdict")
    print(*(row.text() for row in rows), sep="\n")
    for script in failed:
        print(f"{script} failed and has no row")
    judged = [row for row in rows if row.holds is not None]
    print(f"{sum(row.holds for row in judged)} of {len(judged)} rows hold")
    return len(failed) > 0 or not all(row.holds for row in judged)


sys.exit(main())
