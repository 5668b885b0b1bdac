"""Make features that another program computed a feature set of a study: checked whole, and named in its config."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from slidecaf.errors import InputErrors, SlidecafError, SlideError
from slidecaf.exchange.reading import describe_set, read_features, read_patches, tiles_attributes
from slidecaf.files.atomic import atomic
from slidecaf.slides import open_slide
from slidecaf.study.config import is_imported, read_config
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
        ``imported`` of the config.
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
        if sources[row.slide].features.is_file():
            try:
                with open_slide(row.path, name=row.slide, mpp=row.mpp) as slide:
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
    """Write a feature set into a config, whose comments stay.

    Parameters
    ----------
    path : path-like
    name : str
    settings : mapping
        ``imported`` of the feature set.

    Returns
    -------
    bool
        False where it stands there already.

    Raises
    ------
    SlidecafError
        If another feature set has the name, or the file is laid out so that a line cannot be put in: the error has the
        line.
    """
    path = Path(path)
    config, settings = read_config(path), {key: value for key, value in settings.items() if value is not None}
    known = config.get("features", {})
    if name in known:
        if is_imported(known[name]) and known[name]["imported"] == settings:
            return False
        raise SlidecafError(
            f"{path} has a feature set {name!r} already; take another name, or take that one out first."
        )
    entry = f"{name}: {{imported: {yaml.safe_dump(settings, default_flow_style=True, width=10**6).strip()}}}"
    text = path.read_text(encoding="utf-8")
    head = re.search(r"^features:[ \t]*(#[^\n]*)?\n", text, re.MULTILINE)
    inner = re.search(r"^([ ]+)[^\s#]", text[head.end() :], re.MULTILINE) if head else None
    if inner:
        changed = f"{text[: head.end()]}{inner[1]}{entry}\n{text[head.end() :]}"
        try:
            read = yaml.safe_load(changed)
        except yaml.YAMLError:
            read = None
        if read == {**config, "features": {**known, name: {"imported": settings}}}:
            with atomic(path) as partial:
                partial.write_text(changed, encoding="utf-8")
            return True
    raise SlidecafError(f"{path} could not be changed; write under features, by hand:\n  {entry}")
