"""``study.yaml``: the config as used, and by which version, revisions and weights."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from slidecaf.errors import SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json
from slidecaf.files.versions import version
from slidecaf.study.config import Config
from slidecaf.study.config_file import read_config


def write_study(path, study: Mapping, *, revision: Mapping[str, int], encoders: Iterable) -> None:
    """Write a study's config as used; what is not config stands in comments, so that the file is a config itself.

    Parameters
    ----------
    path : path-like
    study : mapping
        The config with its defaults filled in.
    revision : mapping of str to int
        Package to its revision, of all that compute results.
    encoders : iterable of path-like
        Files ``{features}.json`` that describe the networks.
    """
    said = ", ".join(f"{package} {number}" for package, number in sorted(revision.items()))
    lines = [f"# as run by slidecaf {version()}, defaults filled in", f"# revisions: {said}"]
    for encoder in map(Path, encoders):
        lines.append(f"# weights of {encoder.stem}: sha256 {read_json(encoder)['weights_sha256']}")
    text = yaml.safe_dump(dict(study), sort_keys=False, allow_unicode=True)
    with atomic(path) as partial:
        partial.write_text("\n".join([*lines, text]), encoding="utf-8")


def read_study(path) -> Config:
    """Read what `write_study` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Config

    Raises
    ------
    SlidecafError
        If another version wrote it.
    """
    try:
        return Config.model_validate(read_config(path))
    except ValidationError as error:
        raise SlidecafError(f"{path} was written by another version of slidecaf; run the study again.") from error
