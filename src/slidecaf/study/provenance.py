"""``study.yaml``: the config as used, and by which version, code and weights."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from slidecaf.errors import SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json
from slidecaf.files.versions import version
from slidecaf.study.config import Config
from slidecaf.study.config_file import read_config

CODE = "# code: "


def write_study(path, study, *, code, encoders) -> None:
    """Write a study's config as used; what is not config stands in comments, so that the file is a config itself.

    Parameters
    ----------
    path : path-like
    study : mapping
        The config, as `slidecaf.study.config.Settings.plain` gives it.
    code : str
        Digest of what all jobs run.
    encoders : iterable of path-like
        Files ``{features}.json`` that describe the networks.
    """
    lines = [f"# as run by slidecaf {version()}, defaults filled in", f"{CODE}{code}"]
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


def renew_code(path, code):
    """Write the digest of the code that is about to run into a study's file, where there is one and it says another.

    Parameters
    ----------
    path : path-like
    code : str
    """
    if not Path(path).is_file():
        return
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    renewed = [f"{CODE}{code}\n" if line.startswith(CODE) else line for line in lines]
    if renewed != lines:
        with atomic(path) as partial:
            partial.write_text("".join(renewed), encoding="utf-8")
