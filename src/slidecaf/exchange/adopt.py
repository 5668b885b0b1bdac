"""Make features that another program computed a feature set of a study: checked whole, and named in its config."""

import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from slidecaf.errors import InputErrors, SlidecafError, SlideError
from slidecaf.exchange.reading import describe_set, read_features, read_patches, tiles_attributes
from slidecaf.files.atomic import atomic
from slidecaf.files.faults import is_file
from slidecaf.slides import open_slide
from slidecaf.study.config_file import read_config
from slidecaf.study.imported import find_sources


def features_folder(folder, kind) -> Path:
    """Find the folder that holds a file a slide.

    Parameters
    ----------
    folder : path-like
        It, or a folder of TRIDENT above it that has one set of patch features.
    kind : {"trident", "clam"}

    Returns
    -------
    pathlib.Path

    Raises
    ------
    SlidecafError
        If there is none, or there are several.
    """
    folder = Path(folder)
    if kind == "clam":
        if not (folder / "h5_files").is_dir():
            raise SlidecafError(f"{folder} has no folder h5_files; give the feat_dir of CLAM's extract_features_fp.py.")
        return folder
    if any(folder.glob("*.h5")):
        return folder
    found = sorted({*folder.glob("features_*/"), *folder.glob("*/features_*/")})
    found = [path for path in found if any(path.glob("*.h5"))]
    if len(found) != 1:
        several = f"has several: {', '.join(map(str, found))}; give one of them" if found else "has no features_*/*.h5"
        raise SlidecafError(f"{folder} {several}; give the folder that holds a file of patch features a slide.")
    return found[0]


@dataclass(frozen=True)
class Adopted:
    """What was found of a feature set.

    Attributes
    ----------
    slides, patches, dimension : int
    encoder : str
        Empty where no file says it.
    negative, regular : bool
        Whether a value is below 0; whether all patches stand on grids that the segmentation can use.
    """

    slides: int
    patches: int
    dimension: int
    encoder: str
    negative: bool
    regular: bool


def check_set(settings, rows, *, exclude, advance) -> Adopted:
    """Read every file of a feature set, beside its slide.

    Parameters
    ----------
    settings : mapping
        ``format``, ``folder`` and ``patches`` of the feature set.
    rows : list of slidecaf.study.sheets.Row
    exclude : bool
        Whether slides without a file may be left out.
    advance : callable
        Called with 1 after each slide.

    Returns
    -------
    Adopted

    Raises
    ------
    InputErrors
        With what is wrong of every slide.
    """
    sources, problems = find_sources(settings, rows)
    if problems and not exclude:
        raise InputErrors(settings["folder"], problems)
    described = describe_set(sources, folder=settings["folder"])
    count, patches, negative, regular, problems = 0, 0, False, True, []
    for row in rows:
        if is_file(sources[row.slide].features):
            try:
                with open_slide(row.path, name=row.slide, mpp=row.mpp, scene=row.scene) as slide:
                    found = read_patches(sources[row.slide], slide, kind=settings["format"])
                    regular &= tiles_attributes(slide, found)["regular"]
                values = read_features(sources[row.slide], found, name=row.slide)
                negative |= bool((values < 0).any())
                count, patches = count + 1, patches + len(values)
            except SlideError as error:
                problems.append(str(error))
        advance(1)
    if problems:
        raise InputErrors(settings["folder"], problems)
    return Adopted(count, patches, described["dimension"], described["encoder"], negative, regular)


def name_in_config(path, name, settings) -> bool:
    """Write a feature set into a config, whose comments and order stay.

    Parameters
    ----------
    path : path-like
    name : str
    settings : mapping
        ``format``, ``folder`` and ``patches`` of the feature set.

    Returns
    -------
    bool
        False where it stands there already.

    Raises
    ------
    SlidecafError
        If another feature set has the name, or the file cannot be read.
    """
    path = Path(path)
    config = read_config(path)
    entry = {"kind": "imported", **{key: value for key, value in settings.items() if value is not None}}
    known = config.get("features") or {}
    if name in known:
        if known[name] == entry:
            return False
        raise SlidecafError(
            f"{path} has a feature set {name!r} already; take another name, or take that one out first."
        )
    try:
        written = _with_entry(path.read_text(encoding="utf-8-sig"), name, entry)
        right = yaml.safe_load(written) == {**config, "features": {**known, name: entry}}
    except YAMLError:  # what PyYAML reads and ruamel.yaml does not
        right = False
    if not right:
        shown = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10**6).strip()
        raise SlidecafError(f"{path} could not be changed; write under features, by hand:\n  {name}: {shown}")
    with atomic(path) as partial:
        partial.write_text(written, encoding="utf-8")
    return True


class _Representer(RoundTripRepresenter):
    """Writes null as ``null``, where ruamel.yaml would write nothing."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def _with_entry(text, name, entry):
    """Return a config's text with a further feature set, the first of them."""
    inner = re.search(r"^features:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( +)", text, re.MULTILINE)
    listed = re.search(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n( *)- ", text, re.MULTILINE)
    offset = max(0, len(listed[2]) - len(listed[1])) if listed else 2
    writer = YAML()
    writer.Representer, writer.preserve_quotes, writer.width = _Representer, True, 10**6
    writer.indent(mapping=len(inner[1]) if inner else 2, sequence=offset + 2, offset=offset)
    config = writer.load(text)
    one = CommentedMap(entry)
    one.fa.set_flow_style()
    if not config.get("features"):
        config["features"] = CommentedMap()
    config["features"].insert(0, name, one)
    stream = StringIO()
    writer.dump(config, stream)
    return stream.getvalue()
