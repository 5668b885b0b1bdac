"""Run a study, or go on with it: what is missing or has changed is computed, and the scores are printed.

Snakemake runs in this process. What this command does not know is handed to it: -n shows the plan and runs nothing,
--resources gpu=4 lets four extractions run at a time, and a file of the results makes no more than that file.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from slidecaf.errors import SlidecafError

DRY = re.compile(r"-[Ffkpq]*n[Ffkpq]*|--dry-?run")
"""Words that ask for a plan, such as ``-n`` and ``-np``."""


def add_arguments(parser):
    """Add the command's arguments. The study is sorted out of what is left over, see `run`."""
    parser.usage = "slidecaf run [STUDY] [--cores N] [--profile NAME] [Snakemake's arguments]"
    parser.epilog = "STUDY, the study's folder (default: this one), stands in front of Snakemake's arguments."
    parser.add_argument("--cores", metavar="N", help="CPU cores to use, or all (default: as the profile says)")
    parser.add_argument(
        "--profile", metavar="NAME", default="default", help="default, slurm, or a folder with a profile of your own"
    )
    parser.set_defaults(takes_more=True)


def run(arguments):
    """Run Snakemake on the study under its lock; print the scores, or what failed."""
    from slidecaf.running.environment import use_caches
    from slidecaf.running.lock import HELD, lock_study
    from slidecaf.running.snakemake_faults import run_snakemake

    study, further = _study(arguments.further)
    if not (study / "config.yaml").is_file():
        raise SlidecafError(
            f"{study} has no config.yaml; name the study's folder first, or make one with: slidecaf init FOLDER"
        )
    words = _words(arguments, further)
    os.chdir(study)
    with lock_study(study):
        results = _results(study)
        _check_writable(results)
        use_caches(study / ".snakemake" / "slidecaf" / "cache")
        if any(Path(".snakemake/locks").glob("*")):  # Snakemake's, which a killed run left: ours is free
            command = [sys.executable, "-m", "snakemake", *words, "--unlock"]
            subprocess.run(command, check=False, capture_output=True)  # noqa: S603  no shell reads it
        os.environ[HELD] = str(study)
        if any(DRY.fullmatch(word) for word in further):
            return run_snakemake(words)
        return _run(study, results, words)


def _study(words):
    """Return the study's folder, and what is Snakemake's: the first word is the study's if it is no option."""
    options = next((place for place, word in enumerate(words) if not DRY.fullmatch(word)), 0)
    if words and not words[options].startswith("-"):
        return Path(words[options]).resolve(), [*words[:options], *words[options + 1 :]]
    return Path().resolve(), list(words)


def _words(arguments, further):
    """Return Snakemake's arguments."""
    from slidecaf.running.workflow import profile_folder, workflow_root

    words = ["--snakefile", str(workflow_root() / "Snakefile")]
    words += ["--workflow-profile", str(profile_folder(arguments.profile))]
    if arguments.cores:
        words += ["--cores", arguments.cores]
    asked = ["slidecaf", "run", "STUDY", *(["--cores", arguments.cores] if arguments.cores else [])]
    asked += ["--profile", arguments.profile] if arguments.profile != "default" else []
    os.environ.setdefault("SLIDECAF_COMMAND", shlex.join([*asked, *further]))  # for the report
    return [*words, *further]


def _results(study):
    from slidecaf.study.config import read_config

    try:
        config = read_config(study / "config.yaml")
    except SlidecafError:  # the workflow says so
        config = None
    results = config.get("results", "results") if isinstance(config, dict) else "results"
    return study / (results if isinstance(results, str) else "results")


def _check_writable(results):
    """End with one sentence if results cannot be written, which Snakemake tells in many."""
    existing = next(folder for folder in (results, *results.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        raise SlidecafError(
            f"{existing} cannot be written to; make it writable, or choose other results in the config."
        )


def _run(study, results, words):
    """Run, and say what it came to."""
    from slidecaf.logs import WATCH
    from slidecaf.running.clock import date_anew
    from slidecaf.running.progress import RUNS, Progress
    from slidecaf.running.snakemake_faults import run_snakemake
    from slidecaf.running.summary import ended, failure_table, prediction_table, run_table, score_table

    if count := date_anew(study, results):
        print(f"{count} results are dated in the future; the clock was set back, and they are dated anew.")
    folder = study / ".snakemake" / "slidecaf" / "watch"
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:  # a study that another user ran
        raise SlidecafError(
            f"{error.filename} cannot be written to ({error.strerror}); make {study / '.snakemake'} writable for "
            "yourself, with all that is in it."
        ) from error
    os.environ[WATCH] = str(folder)  # which jobs inherit
    start = time.monotonic()
    code = run_snakemake([*words, "--logger", "slidecaf"])
    progress = RUNS[-1] if RUNS else Progress()
    if code:
        said = filter(None, (failure_table(progress, study), ended(code)))
        print(*said, sep="\n", file=sys.stderr)
        return code
    print(score_table(results) + prediction_table(results))
    if progress.done:
        print(run_table(progress, time.monotonic() - start))
    if (results / "report.html").is_file():
        print(f"The report is {results / 'report.html'}")
    print(f"All results are in {results}")
    return 0
