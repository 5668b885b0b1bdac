"""`slidecaf COMMAND`: what is done with a study before, in and after its run."""

import argparse
import importlib
import sys

from slidecaf.commands import COMMANDS
from slidecaf.errors import SlidecafError
from slidecaf.files.versions import version
from slidecaf.running.environment import check_inherited, check_temporary


def main(arguments=None):
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Returns
    -------
    int
        The exit code: what the command returns, 1 after an error that a user can mend, 2 for wrong arguments.
    """
    try:
        check_inherited()
        check_temporary()
    except SlidecafError as error:
        print(error, file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(prog="slidecaf", description=__doc__)
    parser.add_argument("--version", action="version", version=f"slidecaf {version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"slidecaf.commands.{name}")
        said = module.__doc__.splitlines()[0]
        command = commands.add_parser(name.rstrip("_"), help=said, description=module.__doc__, allow_abbrev=False)
        command.set_defaults(run=module.run, takes_more=False)
        module.add_arguments(command)
    chosen, further = parser.parse_known_args(arguments)
    if further and not chosen.takes_more:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    chosen.further = further
    try:
        return chosen.run(chosen) or 0
    except SlidecafError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
