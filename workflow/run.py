"""Run a study: what `make run` calls.

Holds a lock on the study for as long as Snakemake runs; a plain `snakemake` takes it when it starts its jobs. So two
runs never work in one folder; and since the lock ends with the process that holds it, a Snakemake lock found while
holding it is taken for one that a killed run left.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json
from slidecaf.running import watch
from slidecaf.running.clock import date_anew
from slidecaf.running.lock import HELD, lock_study
from slidecaf.running.run_state import SUMMARY
from slidecaf.running.summary import failure_table, run_table, score_table
from slidecaf.study.config import read_config

ROOT = Path(__file__).resolve().parents[1]


def main():
    """Parse the arguments, run Snakemake, print the scores, or what failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path(), help="the study's folder, with its config.yaml")
    parser.add_argument("--cores", default="all", help="CPU cores to use")
    parser.add_argument("--profile", default="default", help="a folder of profiles/")
    arguments, further = parser.parse_known_args()

    study = arguments.study.resolve()
    if not (study / "config.yaml").is_file():
        sys.exit(f"{study} has no config.yaml; copy {ROOT / 'config.yaml'} there and change it.")
    try:
        lock = lock_study(study)
    except SlidecafError as error:
        sys.exit(str(error))
    _check_writable(_results(study))
    with lock:
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        # the full path: Snakemake ignores a profile that it does not find
        snakemake += ["--workflow-profile", str(ROOT / "profiles" / arguments.profile), "--directory", str(study)]
        if arguments.profile == "default":
            snakemake += ["--cores", arguments.cores]
        if any((study / ".snakemake" / "locks").glob("*")):
            subprocess.run([*snakemake, "--unlock"], check=False, capture_output=True)  # noqa: S603  no shell reads it
        dry = bool({"-n", "--dry-run", "--dryrun"} & set(further))
        if not dry and (count := date_anew(study, _results(study))):
            print(f"{count} results are dated in the future; the clock was set back, and they are dated anew.")
        shown = [] if dry else ["--logger=slidecaf"]  # a plan is worth nothing without its jobs
        folder = study / ".snakemake" / "slidecaf" / "watch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        start = time.monotonic()
        code = _run([*snakemake, *shown, *further], study, lock, folder)
    if dry:
        sys.exit(code)
    known = folder / SUMMARY
    summary = read_json(known) if known.is_file() else {"jobs": 0, "done": 0, "failures": [], "warnings": []}
    if code == 0:
        results = _results(study)
        print(score_table(results))
        if summary["done"]:
            print(run_table(summary, time.monotonic() - start))
        if (results / "report.html").is_file():
            print(f"The report is {results / 'report.html'}")
        print(f"All results are in {results}")
    else:
        print(failure_table(summary, study), file=sys.stderr)
    sys.exit(code)


def _results(study):
    try:
        config = read_config(study / "config.yaml")
    except SlidecafError:  # the workflow has said so
        config = None
    results = config.get("results", "results") if isinstance(config, dict) else "results"
    return study / (results if isinstance(results, str) else "results")


def _run(command, study, lock, folder):
    """Run Snakemake under our lock and return its exit code; who ends us, ends it."""
    # The lock is handed on: should this process alone be killed, Snakemake goes on under it.
    child = subprocess.Popen(  # noqa: S603  no shell reads it
        command, pass_fds=[lock.fileno()], env={**os.environ, HELD: str(study), watch.FOLDER: str(folder)}
    )
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        return child.wait()
    except KeyboardInterrupt:  # Snakemake got it too, and ends its jobs
        child.wait()
        sys.exit(130)


def _check_writable(results):
    """End with one sentence if results cannot be written, which Snakemake tells in many."""
    existing = next(folder for folder in (results, *results.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        sys.exit(f"{existing} cannot be written to; make it writable, or choose other results in the config.")


main()
