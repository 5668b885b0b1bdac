"""Apply a model to slides, without the study that it is from; further slides are added by the same command.

MODEL is what `slidecaf export model` wrote. FOLDER becomes a study that learns nothing: what is done is kept there, and
`slidecaf view FOLDER` shows it. What this command does not know is handed to Snakemake, as `slidecaf run` does.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

from slidecaf.errors import SlidecafError


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="the archive that slidecaf export model wrote")
    parser.add_argument(
        "slides",
        nargs="+",
        type=Path,
        metavar="SLIDES",
        help="slides, folders of slides, or a sheet with slide and path",
    )
    parser.add_argument(
        "--to", required=True, type=Path, metavar="FOLDER", help="where predictions go; made where missing"
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="FEATURES=FILE",
        help="a network's weights, of a model without them",
    )
    parser.add_argument("--any-resolution", action="store_true", help="take slides of another resolution all the same")
    parser.add_argument("--cores", metavar="N", help="CPU cores to use, or all (default: as the profile says)")
    parser.add_argument(
        "--profile", metavar="NAME", default="default", help="default, slurm, or a folder with a profile of your own"
    )
    parser.set_defaults(takes_more=True)


def run(arguments):
    """Make the study, or add slides to it, and run it."""
    from slidecaf.commands.run import run as run_study
    from slidecaf.exchange.prediction import make_prediction
    from slidecaf.running.lock import lock_study

    weights = dict(_pair(text) for text in arguments.weights)
    if (arguments.to / "config.yaml").is_file():
        lock_study(arguments.to).close()  # a run that is at work there shall keep its sheet
    said = make_prediction(
        arguments.to, arguments.model, arguments.slides, weights=weights, any_resolution=arguments.any_resolution
    )
    for sentence in said:
        print(f"note: {sentence}")
    os.environ["SLIDECAF_COMMAND"] = shlex.join(["slidecaf", *sys.argv[1:]])  # for the report
    return run_study(
        argparse.Namespace(
            cores=arguments.cores, profile=arguments.profile, further=[str(arguments.to), *arguments.further]
        )
    )


def _pair(text):
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise SlidecafError(f"--weights: {text!r} is no FEATURES=FILE; write the feature set's name, = and the file.")
    return name, path
