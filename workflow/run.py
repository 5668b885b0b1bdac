"""Run a study: what `make run` calls.

Holds a lock on the study for as long as Snakemake runs, so that two runs by this command never work in one folder; and
since the lock ends with the process that holds it, a Snakemake lock found while holding it is taken for one that a
killed run left. A plain `snakemake` at work in the same study does not hold it: use one or the other.
"""

import argparse
import fcntl
import subprocess
import sys
from pathlib import Path

import yaml

from slidecaf.summary import score_table

ROOT = Path(__file__).resolve().parents[1]


def main():
    """Parse the arguments, run Snakemake, print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=Path(), help="the study's folder, with its config.yaml")
    parser.add_argument("--cores", default="all", help="CPU cores to use")
    parser.add_argument("--profile", default="default", help="a folder of profiles/")
    arguments, further = parser.parse_known_args()

    study = arguments.study.resolve()
    if not (study / "config.yaml").is_file():
        sys.exit(f"{study} has no config.yaml; copy {ROOT / 'config.yaml'} there and change it.")
    with open(_lock_file(study), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another run is at work in {study}; wait until it ends, or end it.")
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        # the full path: Snakemake ignores a profile that it does not find
        snakemake += ["--workflow-profile", str(ROOT / "profiles" / arguments.profile), "--directory", str(study)]
        if arguments.profile == "default":
            snakemake += ["--cores", arguments.cores]
        if any((study / ".snakemake" / "locks").glob("*")):
            subprocess.run([*snakemake, "--unlock"], check=False, capture_output=True)  # noqa: S603
        dry = bool({"-n", "--dry-run", "--dryrun"} & set(further))
        quiet = [] if dry else ["--quiet", "rules"]  # one line a step; a plan is worth nothing without its jobs
        # The lock is handed on: should this process alone be killed, Snakemake goes on under it.
        code = subprocess.run([*snakemake, *quiet, *further], check=False, pass_fds=[lock.fileno()]).returncode  # noqa: S603
    if code == 0 and not dry:
        results = study / yaml.safe_load((study / "config.yaml").read_text(encoding="utf-8")).get("results", "results")
        print(score_table(results), f"\nAll results are in {results}", sep="")
    sys.exit(code)


def _lock_file(study):
    try:
        (study / ".snakemake").mkdir(exist_ok=True)
        (study / ".snakemake" / "slidecaf.lock").touch()
    except OSError as error:
        sys.exit(f"{study} cannot be written to ({error}); choose a study folder of your own.")
    return study / ".snakemake" / "slidecaf.lock"


main()
