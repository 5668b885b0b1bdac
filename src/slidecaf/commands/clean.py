"""Remove results that the study's config and sheets no longer make: of slides, batches, feature sets and methods.

What config.yaml says counts, not options of a run. Nothing is removed that a run would make again, nor what slidecaf
did not write. A feature set that no method uses stays for as long as the config names it.
"""

import os
from pathlib import Path

from slidecaf.errors import SlidecafError


def add_arguments(parser):
    """Declare the command's arguments."""
    parser.add_argument("study", nargs="?", default=".", type=Path, help="the study's folder (default: this one)")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only list what would be removed")


def run(arguments):
    """Remove what is left over, and say what and how much."""
    from slidecaf.demo import made_paths
    from slidecaf.running.lock import lock_study
    from slidecaf.study.checked import check_study
    from slidecaf.study.config_file import read_config
    from slidecaf.study.leftovers import leftovers

    if not (arguments.study / "config.yaml").is_file():
        raise SlidecafError(f"{arguments.study} has no config.yaml; name the folder of a study.")
    os.chdir(arguments.study)  # paths of a study start at its folder
    freed = count = 0
    with lock_study("."):
        for path in leftovers(check_study(read_config("config.yaml"), made=made_paths())):
            size = path.lstat().st_size
            if not arguments.dry_run:
                path.unlink()
                _remove_empty(path.parent)
            print(path)
            freed, count = freed + size, count + 1
    print(f"{count} files, {freed} bytes, {'would be removed' if arguments.dry_run else 'removed'}")


def _remove_empty(folder):
    """Remove a folder and those above it, up to the study, as far as they are empty."""
    for one in (folder, *folder.parents):
        if one == Path() or one.is_symlink() or any(one.iterdir()):
            return
        one.rmdir()
