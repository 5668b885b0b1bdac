"""Make features that TRIDENT or CLAM computed a feature set of a study.

Reads every file beside its slide, then writes the feature set's name and folder into the study's config.yaml. Nothing
is copied until the study is run.
"""

import os
import sys
from pathlib import Path

from slidecaf.errors import SlidecafError


def add_arguments(parser):
    """Add the command's arguments."""
    parser.add_argument("format", choices=["trident", "clam"], help="whose files")
    parser.add_argument("folder", type=Path, help="features_... of a TRIDENT job, or CLAM's feat_dir with h5_files")
    parser.add_argument("--study", required=True, type=Path, help="the study's folder")
    parser.add_argument("--features", required=True, metavar="NAME", help="what to call the feature set")
    parser.add_argument("--patches", type=Path, metavar="FOLDER", help="clam: where coordinates are, if not in patches")


def run(arguments):
    """Check the files, change the config, and say what to write next."""
    from slidecaf.exchange.adopt import check_set, features_folder, name_in_config
    from slidecaf.logs import progress
    from slidecaf.study.checked import check_study
    from slidecaf.study.config_file import read_config

    if not (arguments.study / "config.yaml").is_file():
        raise SlidecafError(f"{arguments.study} has no config.yaml; give the folder of a study.")
    if arguments.patches and arguments.format == "trident":
        raise SlidecafError("--patches is for clam: files of TRIDENT hold the size of a patch themselves.")
    folder = features_folder(arguments.folder, arguments.format)

    def from_study(path):
        """Let a path start at the study, where it lies inside or beside it."""
        return Path(os.path.relpath(path.resolve(), arguments.study.resolve())).as_posix()

    settings = {
        "format": arguments.format,
        "folder": from_study(folder),
        "patches": arguments.patches and from_study(arguments.patches),
    }
    os.chdir(arguments.study)
    study = check_study(read_config("config.yaml"))
    rows = study.classification or study.segmentation
    with progress(len(rows), arguments.features, unit="slides") as advance:
        exclude = study.config.on_bad_slide == "exclude"
        found = check_set(settings, rows, exclude=exclude, advance=advance)
    new = name_in_config("config.yaml", arguments.features, settings)
    encoder = found.encoder or "an encoder that no file names"
    print(f"{found.slides} of {len(rows)} slides, {found.patches} patches, {found.dimension} values each")
    print(f"by {encoder}; config.yaml {'names it now' if new else 'named it already'}.")
    print(f"Write {arguments.features} into the features of a method, and run the study.")
    if found.negative:
        print("It has negative values, for which a norm of 3 is not defined: write norm: [1], or [1, inf].")
    if not found.regular:
        print("Its patches stand on no one grid: the segmentation cannot use it.", file=sys.stderr)
