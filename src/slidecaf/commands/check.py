"""Look at a study before it is run: is it in order, and what will it take.

Reads the config and the sheets, opens every slide and mask, tries each feature set's network on a part of a slide, and
prints slides, patches, hours, gigabytes and memory by stage for this machine, and what looks wrong. Nothing is written.
Ends with exit code 1 where a run would fail.
"""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

from slidecaf.errors import InputErrors, SlidecafError

SHOWN = 20
"""Lines of one kind that are printed at most."""


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("study", nargs="?", default=".", type=Path, help="the study's folder (default: this one)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, for programs")
    parser.add_argument("--quick", action="store_true", help="do not try the networks: no hours, gigabytes and memory")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to try each network (default: 2)")
    parser.add_argument(
        "--workers", type=int, metavar="N", default=os.cpu_count(), help="slides that are opened side by side"
    )
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that a slide may take (default: 120)")


def run(arguments):
    """Check a study and print what was found."""
    from slidecaf.check.inspection import inspect_study
    from slidecaf.check.table import table
    from slidecaf.demo import made_paths

    if not (arguments.study / "config.yaml").is_file():
        raise SlidecafError(f"{arguments.study} has no config.yaml; make a study with: slidecaf init FOLDER")
    os.chdir(arguments.study)
    try:
        found = inspect_study(
            made=made_paths(),
            workers=arguments.workers,
            timeout=arguments.timeout,
            seconds=arguments.seconds,
            job_start=None if arguments.quick else _job_start,
        )
    except InputErrors as error:
        if arguments.json:
            print(json.dumps({"errors": error.problems}, indent=2))
            return 1
        more = len(error.problems) - SHOWN
        first, *lines = str(error).splitlines()
        print(first, *lines[:SHOWN], *([f"  and {more} more"] if more > 0 else []), sep="\n", file=sys.stderr)
        return 1
    print(json.dumps(dataclasses.asdict(found), indent=2) if arguments.json else table(found, shown=SHOWN))
    return 1 if found.errors else 0


def _job_start():
    """Return the seconds that Snakemake and Python take to start a job."""
    from time import perf_counter

    start = perf_counter()
    for command in (["-m", "snakemake", "--version"], ["-c", "import slidecaf.files.tables, slidecaf.tiles.grid"]):
        subprocess.run([sys.executable, *command], check=True, capture_output=True)  # noqa: S603  no shell reads it
    return perf_counter() - start
