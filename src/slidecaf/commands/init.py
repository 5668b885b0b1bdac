"""Make a study: a folder with a commented config, and sheets of the slides that a folder holds.

Labels, masks and patients are left for you to fill in: nothing is guessed from file names. Of an image collection,
a folder that holds a folder a class, labels are the names of these folders. Nothing is overwritten.
"""

from pathlib import Path

from slidecaf.errors import SlidecafError


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("folder", type=Path, help="the study's folder; it is made where it is missing")
    parser.add_argument("--slides", type=Path, metavar="DIR", help="a folder of slides, with all below it")
    parser.add_argument(
        "--collection",
        type=Path,
        metavar="DIR",
        help="a folder of class folders with images; or of folders train, val and test that hold these",
    )
    parser.add_argument(
        "--task",
        choices=["classification", "segmentation", "both"],
        default="classification",
        help="what the study is for: a label for each slide (default), a map of necrosis, or both",
    )


def run(arguments):
    """Make a study and say what comes next."""
    from slidecaf.study.new import make_collection, make_study

    if arguments.collection:
        if arguments.slides or arguments.task != "classification":
            raise SlidecafError("--collection makes the sheet of a classification; leave out --slides and --task.")
        files, said = make_collection(arguments.folder, arguments.collection)
        for line in [*(f"wrote {path}" for path in files), *said]:
            print(line)
        print(
            f"Next: look at the sheet and config.yaml ({files[-1]} says how), then: slidecaf check {arguments.folder}"
        )
        return
    tasks = ["classification", "segmentation"] if arguments.task == "both" else [arguments.task]
    files = make_study(arguments.folder, slides=arguments.slides, tasks=tasks)
    for path in files:
        print(f"wrote {path}")
    if not arguments.slides:
        print("The sheets are empty: write one row a slide, or begin again with --slides DIR.")
    print(f"Next: fill in the sheet ({files[-1]} says how), then: slidecaf check {arguments.folder}")
