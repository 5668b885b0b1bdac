"""What a process inherits: where Python finds packages, whose installation it is, where caches and temporary files go.

Looked at before anything is imported that could be another program's.
"""

import os
import site
import sys
import sysconfig
import tempfile
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from slidecaf.errors import SlidecafError

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the library that runs."""

NOBODYS = {"slidecaf", "snakemake_logger_plugin_slidecaf", "test", "tests", "docs", "examples", "benchmarks"}
"""Names in a folder on Python's path that stand before no package of another: our own code, and what is no package."""


def check_inherited() -> None:
    """Refuse a Python that would run other code than was installed; to be called first.

    Raises
    ------
    SlidecafError
        If another program's package stands before one of ours, or the installation was copied from elsewhere.
    """
    check_packages()
    check_installation()


def check_packages(own=None) -> None:
    """Refuse packages by PYTHONPATH, or of the user's own folder, that stand before those slidecaf is installed with.

    A cluster's modules set PYTHONPATH to the packages of another Python. Where all packages come by PYTHONPATH, each
    once, nothing is amiss.

    Parameters
    ----------
    own : path-like, optional
        The folder of the packages that slidecaf is installed with; found by default.

    Raises
    ------
    SlidecafError
        Naming the foreign package's file.
    """
    own = os.path.realpath(own or _own_packages())
    listed = {os.path.realpath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder}
    users = os.path.realpath(site.getusersitepackages()) if site.ENABLE_USER_SITE else None
    names = (_names(own) | sys.stdlib_module_names) - NOBODYS
    for folder in map(os.path.realpath, sys.path):
        if folder == own:
            return
        if folder != users and folder not in listed:
            continue
        for name in sorted(_names(folder) & names):
            found = PathFinder.find_spec(name, [folder])
            if found is not None and found.has_location:
                todo = f"take {folder} out of it, or unset PYTHONPATH," if folder in listed else _NO_USER_SITE
                by = "PYTHONPATH" if folder in listed else "your own packages"
                raise SlidecafError(
                    f"{found.origin} stands before the package {name} that slidecaf is installed with, by {by}; {todo} "
                    "and run again."
                )


_NO_USER_SITE = "export PYTHONNOUSERSITE=1"


def _own_packages():
    try:
        return distribution("slidecaf").locate_file("")
    except PackageNotFoundError:  # the library by PYTHONPATH alone
        return sysconfig.get_path("purelib")


def _names(folder):
    """Return what a folder may hold of packages and modules, by name."""
    try:
        return {entry.partition(".")[0] for entry in os.listdir(folder)}
    except OSError:  # a folder on the path that is not there: Python passes over it too
        return set()


def check_installation(program=None, *, prefix=None, package=PACKAGE) -> None:
    """Refuse a virtual environment that was copied or moved with its clone: it runs the code of where it was made.

    Parameters
    ----------
    program : path-like, optional
        What was called; by default the process's.
    prefix : path-like, optional
        The environment that runs; by default the process's.
    package : pathlib.Path, optional
        The folder of the library that runs.

    Raises
    ------
    SlidecafError
    """
    program, prefix = Path(program or sys.argv[0]), Path(prefix or sys.prefix)
    called = program.parent.parent
    if program.parent.name == "bin" and (called / "pyvenv.cfg").is_file() and called.resolve() != prefix.resolve():
        raise _copied(called, f"runs {prefix}")
    beside = prefix.parent / "src" / "slidecaf"
    listed = [os.path.realpath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    asked = str(package.parent) in listed
    if beside.is_dir() and beside.resolve() != package and not asked:
        raise _copied(prefix, f"runs the library in {package}")


def _copied(environment, does):
    return SlidecafError(
        f"{environment} was copied or moved here and {does}; delete it ({Path(environment).name}) and install slidecaf "
        "here anew (make install)."
    )


def check_workflow(root, package=PACKAGE) -> None:
    """Refuse a workflow with a library beside it that is not the one that runs, where the two differ.

    Parameters
    ----------
    root : path-like
        The workflow's clone.
    package : pathlib.Path, optional
        The folder of the library that runs.

    Raises
    ------
    SlidecafError
    """
    root = Path(root).resolve()
    beside = root / "src" / "slidecaf"
    if beside.is_dir() and beside != package and _code(beside) != _code(package):
        raise SlidecafError(
            f"the workflow in {root} would run with the library in {package}, which is not the one beside it; run it "
            "with the installation of that clone (make install there)."
        )


def _code(package):
    return {path.relative_to(package): path.read_bytes() for path in package.rglob("*.py")}


def check_temporary() -> None:
    """See that there is a folder for temporary files, and say so where it is not the one asked for.

    Raises
    ------
    SlidecafError
        If there is none.
    """
    asked = os.environ.get("TMPDIR")
    try:
        found = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise SlidecafError(f"{error.strerror}; set TMPDIR to a folder that can be written to.") from error
    if asked and os.path.realpath(asked) != os.path.realpath(found):
        print(f"TMPDIR, {asked}, cannot be written to; temporary files go to {found}.", file=sys.stderr)


def use_caches(folder) -> None:
    """Let this process and its children keep caches in a folder where the user's own cannot be written to.

    Those are Snakemake's copies of the workflow's files, matplotlib's list of fonts, and downloaded weights.

    Parameters
    ----------
    folder : path-like
        Made where it is needed. It should last: the weights of a model are large.
    """
    users = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if _is_usable(users):
        return
    os.makedirs(folder, exist_ok=True)
    print(f"{users} cannot be written to; caches go to {folder}.", file=sys.stderr)
    os.environ["XDG_CACHE_HOME"] = str(folder)
    os.environ.setdefault("MPLCONFIGDIR", str(Path(folder) / "matplotlib"))


def _is_usable(folder):
    """Tell whether files can be made in a folder, which is made where it is missing."""
    if not os.path.isabs(folder):  # without HOME and an entry in the system's list of users "~" stays as it is
        return False
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
