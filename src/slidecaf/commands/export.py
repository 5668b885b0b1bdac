"""Write a study's features in the layout of CLAM, TRIDENT or STAMP, from one extraction.

docs/formats.md says what is written, and which versions of these programs it was held against.
"""

import os
import sys
from pathlib import Path

from slidecaf.errors import SlidecafError


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("format", choices=["clam", "trident", "stamp"], help="whose layout")
    parser.add_argument("study", type=Path, help="the study's folder")
    parser.add_argument("--features", required=True, metavar="NAME", help="the feature set")
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="where to write; made where missing")
    parser.add_argument("--copy", action="store_true", help="trident: copy features, which are links otherwise")


def run(arguments):
    """Write the layout, and say which slides are left out."""
    from slidecaf.exchange.clam import write_clam
    from slidecaf.exchange.export import extracted_slides
    from slidecaf.exchange.stamp import write_stamp
    from slidecaf.exchange.trident import write_trident
    from slidecaf.logs import progress
    from slidecaf.study.checked import check_study
    from slidecaf.study.config_file import read_config

    if not (arguments.study / "config.yaml").is_file():
        raise SlidecafError(f"{arguments.study} has no config.yaml; give the folder of a study.")
    to = arguments.to.resolve()
    os.chdir(arguments.study)
    study = check_study(read_config("config.yaml"))
    slides, left_out = extracted_slides(study, ".", arguments.features)
    name = arguments.features.replace("/", "-")  # it becomes a folder
    written = {
        "clam": lambda: write_clam(slides, to),
        "trident": lambda: write_trident(slides, to, name=name, copy=arguments.copy),
        "stamp": lambda: write_stamp(slides, to, name=name),
    }[arguments.format]()
    with progress(len(slides), arguments.format) as advance:
        for _ in written:
            advance(1)
    for slide, why in left_out.items():
        print(f"left out: slide {slide}: {why}", file=sys.stderr)
    print(
        f"{len(slides)} slides of {arguments.features} in {arguments.to}, as {arguments.format.upper()} lays them out"
    )
