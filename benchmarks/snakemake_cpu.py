"""What Snakemake's own process takes of a core while a study runs: by `slidecaf run`, and with --plain by `snakemake`.

A Snakefile of 500 jobs that sleep 0.4 seconds, two at a time, is run in a temporary folder, with the profile of a
workstation. Counted are the seconds of CPU of Snakemake's process alone, without its jobs, over those of
the clock, start-up included.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from rows import Row, report

GOAL = 5.0
GOAL_A_JOB = 50
"""Milliseconds of CPU, start-up included."""
PROFILE = Path(__file__).resolve().parents[1] / "profiles/default"

SNAKEFILE = """
rule all:
    input: expand("made/{job}", job=range(JOBS))

rule wait:
    output: "made/{job}"
    shell: "sleep SECONDS; touch {output}"
"""
OURS = """
from slidecaf.running.snakemake_faults import run_snakemake
code = run_snakemake([*WORDS, "--logger", "slidecaf"])
"""
PLAIN = """
from snakemake.cli import main
try:
    main(WORDS)
except SystemExit as end:
    code = end.code
"""
TIMED = """
import os, sys, time
start, WORDS = time.perf_counter(), sys.argv[1:]
os.environ["SLIDECAF_WATCH"] = os.getcwd()
{run}
print(time.process_time(), time.perf_counter() - start)
sys.exit(code)
"""


def share(run, jobs, seconds, cores):
    """Return the percentage of a core that Snakemake's process took, and the seconds of the clock."""
    with tempfile.TemporaryDirectory() as folder:
        snakefile = SNAKEFILE.replace("JOBS", str(jobs)).replace("SECONDS", str(seconds))
        (Path(folder) / "Snakefile").write_text(snakefile)
        command = [sys.executable, "-c", TIMED.format(run=run), "--cores", str(cores), "--workflow-profile", PROFILE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        spent, clock = map(float, done.stdout.splitlines()[-1].split())
        return 100 * spent / clock, clock


def main():
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=0.4, help="that a job sleeps")
    parser.add_argument("--cores", type=int, default=2, help="jobs at a time")
    parser.add_argument("--plain", action="store_true", help="run a plain snakemake beside it")
    chosen = parser.parse_args()
    runs = {name: run for name, run in RUNS.items() if run is OURS or chosen.plain}
    found = {name: share(run, chosen.jobs, chosen.seconds, chosen.cores) for name, run in runs.items()}
    for name, (percent, clock) in found.items():
        print(f"{name}: {percent:.1f} % of a core over {clock:.0f} s", flush=True)
    ours, clock = found["slidecaf run"]
    stage = f"Snakemake's process, {chosen.jobs} jobs"
    rows = [
        Row(f"{stage}, slidecaf run", "a core", [ours], goal=GOAL, at_least=False, unit="%"),
        Row(
            f"{stage}, slidecaf run, CPU a job",
            f"{GOAL_A_JOB} ms",
            [10 * ours * clock / chosen.jobs],
            goal=GOAL_A_JOB,
            at_least=False,
            unit="ms",
        ),
    ]
    if chosen.plain:
        plain, plain_clock = found["snakemake"]
        rows += [
            Row(f"{stage}, snakemake", "a core", [plain], unit="%"),
            Row(f"{stage}, clock", "snakemake", [clock / plain_clock]),
        ]
    report(*rows)


RUNS = {"slidecaf run": OURS, "snakemake": PLAIN}

if __name__ == "__main__":
    main()
