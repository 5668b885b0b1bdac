"""Write a study's features as CLAM, TRIDENT or STAMP lay them out, its heat maps for QuPath, or a model to hand on.

docs/formats.md says what is written, and which versions of these programs it was held against. A model is one file,
which `slidecaf predict` applies to other slides.
"""

import os
import sys
from pathlib import Path

from slidecaf.errors import SlidecafError
from slidecaf.study.names import TASKS


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument(
        "format", choices=["clam", "trident", "stamp", "qupath", "model"], help="whose layout, or model"
    )
    parser.add_argument("study", type=Path, help="the study's folder")
    parser.add_argument("--features", metavar="NAME", help="the feature set; of all but qupath and model")
    parser.add_argument(
        "--method", metavar="NAME", help="qupath: the method of the classification; model: of either task"
    )
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="where to write; of a model the file")
    parser.add_argument(
        "--task", choices=TASKS, help="model: of a name that both tasks have, which one (default: both)"
    )
    parser.add_argument("--without-weights", action="store_true", help="model: leave out weights that are a file")
    parser.add_argument("--copy", action="store_true", help="trident: copy features, which are links otherwise")


def run(arguments):
    """Write the layout, and say which slides are left out."""
    from slidecaf.demo import made_paths
    from slidecaf.logs import progress
    from slidecaf.study.checked import check_study
    from slidecaf.study.config_file import read_config

    if not (arguments.study / "config.yaml").is_file():
        raise SlidecafError(f"{arguments.study} has no config.yaml; give the folder of a study.")
    of_method = arguments.format in ("qupath", "model")
    wanted, other = ("method", "features") if of_method else ("features", "method")
    if not getattr(arguments, wanted) or getattr(arguments, other):
        raise SlidecafError(f"slidecaf export {arguments.format}: write --{wanted} NAME, and no --{other}.")
    to = arguments.to.resolve()
    os.chdir(arguments.study)
    study = check_study(read_config("config.yaml"), made=made_paths())
    if arguments.format == "model":
        return _model(study, arguments, to)
    slides, left_out, written = (_heatmaps if wanted == "method" else _features)(study, arguments, to)
    with progress(len(slides), arguments.format) as advance:
        for _ in written:
            advance(1)
    for slide, why in left_out.items():
        print(f"left out: slide {slide}: {why}", file=sys.stderr)
    how = "as QuPath opens them" if wanted == "method" else f"as {arguments.format.upper()} lays them out"
    print(f"{len(slides)} slides of {getattr(arguments, wanted)} in {arguments.to}, {how}")


def _model(study, arguments, to):
    """Write a model, and say what is in it."""
    from slidecaf.exchange.model import export_model

    stated = export_model(study, arguments.method, to, task=arguments.task, weights=not arguments.without_weights)
    for task, of in stated["tasks"].items():
        learned = of["learned_from"]
        print(f"{task}, {of['method']}: learned from {learned['slides']} slides of {learned['patients']} patients")
        for caveat in of["caveats"]:
            print(f"  note: {caveat}")
    print(f"The model is {arguments.to}, {to.stat().st_size / 1e6:.1f} MB")
    print(f"To apply it: slidecaf predict {arguments.to} SLIDES --to FOLDER")


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
    scores = Path(Layout(study.config.results, study.config.model).scores.format(method=arguments.method))
    caveats = read_json(scores)["caveats"] if scores.is_file() else []
    return slides, left_out, write_qupath(slides, to, method=arguments.method, caveats=caveats)
