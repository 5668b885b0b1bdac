"""Where the workflow is: its Snakefile, profiles, and the demo's config with every key commented."""

from pathlib import Path

from slidecaf.errors import SlidecafError

PACKAGE = Path(__file__).resolve().parents[1]


def workflow_root(package=PACKAGE) -> Path:
    """Return the folder with the workflow's Snakefile.

    Parameters
    ----------
    package : pathlib.Path, optional
        The folder of slidecaf's modules: ``slidecaf`` in an installed package, ``src/slidecaf`` in a clone.

    Returns
    -------
    pathlib.Path
        ``workflow`` inside the package where that is there, else the clone.

    Raises
    ------
    SlidecafError
        If there is neither.
    """
    places = (package / "workflow", package.parents[1])
    for root in places:
        if (root / "Snakefile").is_file():
            return root
    raise SlidecafError(
        f"the workflow is missing: neither {places[0]} nor {places[1]} has a Snakefile; install slidecaf anew, or run "
        "it from its clone."
    )


def profile_folder(name) -> Path:
    """Return the folder of a Snakemake profile.

    Parameters
    ----------
    name : str
        ``default``, ``slurm``, or a folder with a config.yaml.

    Raises
    ------
    SlidecafError
        If there is no such profile; Snakemake itself would go on without.
    """
    shipped = workflow_root() / "profiles"
    for folder in (shipped / name, Path(name)):
        if (folder / "config.yaml").is_file():
            return folder.resolve()
    names = ", ".join(sorted(path.parent.name for path in shipped.glob("*/config.yaml")))
    raise SlidecafError(
        f"there is no profile {name}; give one of {names}, or a folder with a config.yaml of Snakemake's options."
    )
