"""Write a study's features in the layout of CLAM, TRIDENT or STAMP, or its heat maps as QuPath opens them.

docs/formats.md says what is written, and which versions of these programs it was held against.
"""

import os
import sys
from pathlib import Path

from slidecaf.errors import SlidecafError


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("format", choices=["clam", "trident", "stamp", "qupath"], help="whose layout")
    parser.add_argument("study", type=Path, help="the study's folder")
    parser.add_argument("--features", metavar="NAME", help="the feature set; of all but qupath")
    parser.add_argument("--method", metavar="NAME", help="qupath: the method of the classification")
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="where to write; made where missing")
    parser.add_argument("--copy", action="store_true", help="trident: copy features, which are links otherwise")


def run(arguments):
    """Write the layout, and say which slides are left out."""
    from slidecaf.logs import progress
    from slidecaf.study.checked import check_study
    from slidecaf.study.config_file import read_config

    if not (arguments.study / "config.yaml").is_file():
        raise SlidecafError(f"{arguments.study} has no config.yaml; give the folder of a study.")
    wanted, other = ("method", "features") if arguments.format == "qupath" else ("features", "method")
    if not getattr(arguments, wanted) or getattr(arguments, other):
        raise SlidecafError(f"slidecaf export {arguments.format}: write --{wanted} NAME, and no --{other}.")
    to = arguments.to.resolve()
    os.chdir(arguments.study)
    study = check_study(read_config("config.yaml"))
    slides, left_out, written = (_heatmaps if wanted == "method" else _features)(study, arguments, to)
    with progress(len(slides), arguments.format) as advance:
        for _ in written:
            advance(1)
    for slide, why in left_out.items():
        print(f"left out: slide {slide}: {why}", file=sys.stderr)
    how = "as QuPath opens them" if wanted == "method" else f"as {arguments.format.upper()} lays them out"
    print(f"{len(slides)} slides of {getattr(arguments, wanted)} in {arguments.to}, {how}")


def _features(study, arguments, to):
    """Return the slides with features, those without, and what writes them."""
    from slidecaf.exchange.clam import write_clam
    from slidecaf.exchange.export import extracted_slides
    from slidecaf.exchange.stamp import write_stamp
    from slidecaf.exchange.trident import write_trident

    slides, left_out = extracted_slides(study, ".", arguments.features)
    name = arguments.features.replace("/", "-")  # it becomes a folder
    written = {
        "clam": lambda: write_clam(slides, to),
        "trident": lambda: write_trident(slides, to, name=name, copy=arguments.copy),
        "stamp": lambda: write_stamp(slides, to, name=name),
    }[arguments.format]()
    return slides, left_out, written


def _heatmaps(study, arguments, to):
    """Return the slides with a heat map, those without, and what writes them."""
    from slidecaf.exchange.qupath import explained_slides, write_qupath
    from slidecaf.files.tables import read_json
    from slidecaf.study.layout import Layout

    slides, left_out = explained_slides(study, ".", arguments.method)
    scores = Path(Layout(study.config.results).scores.format(method=arguments.method))
    caveats = read_json(scores)["caveats"] if scores.is_file() else []
    return slides, left_out, write_qupath(slides, to, method=arguments.method, caveats=caveats)
