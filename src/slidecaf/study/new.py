"""A new study: a commented config with every key of its tasks, and sheets of the slides in a folder."""

import json
import os
import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from slidecaf.errors import SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.parts import dicom_slides, lies_alone, parts_of
from slidecaf.files.tables import write_tsv
from slidecaf.study.checked import SLIDE_SUFFIXES

TASKS = {"classification": "label", "segmentation": "mask"}
"""Task to the column that a user fills in."""

README = """\
# A slidecaf study

1. Fill in the sheet{s}: {sheets}. One row is one slide.
   - `patient`: who the slide is from. All slides of a patient stay on one side of every split, so this column decides
     whether your score is honest. Write the block or site where that is the right unit.
{columns}
   - `split`: `train`, or `test` for slides that are predicted only and never learned from.
   - `mpp`, micrometres a pixel at level 0, only where the file does not say it.
2. Look through `config.yaml`: {config}the patch size, the network.
3. `slidecaf check` names every cell that is still empty, opens every slide, and says how long a run takes.
4. In the clone: `make run STUDY={folder}`
"""

COLUMN = {
    "classification": "   - `label`: the slide's class, such as GBM; only a `test` row may leave it empty.",
    "segmentation": "   - `mask`: a PNG or TIFF of the slide's size, 0 where there is no necrosis; only a `test` row\n"
    "     may leave it empty.\n"
    "   - `hemorrhage`: a mask of hemorrhage, where there is one.",
}


def find_slides(folder):
    """List the files in a folder, and below it, that may be slides, and folders that are DICOM slides.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of pathlib.Path
        Sorted. Hidden files and folders are left out.

    Raises
    ------
    SlidecafError
        If there is none.
    """
    found = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [Path(top, name) for name in names if not name.startswith(".")]
        slides = [path for path in paths if path.suffix.lower() in SLIDE_SUFFIXES]
        within = {part for path in slides if not lies_alone(path) for part in parts_of(path)[1:]}
        found += [path for path in slides if path not in within]
        dicom = dicom_slides(top)
        found += [Path(top)] if len(dicom) == 1 and Path(top) != Path(folder) else [files[0] for files in dicom]
    if not found:
        known = ", ".join(sorted(SLIDE_SUFFIXES))
        raise SlidecafError(f"{folder} holds no slide; give a folder with DICOM files, or files that end in {known}.")
    return sorted(found)


def slide_ids(paths):
    """Make ids of file names: letters, digits, '.', '_' and '-', each id once.

    Parameters
    ----------
    paths : list of pathlib.Path

    Returns
    -------
    list of str
    """
    ids, seen = [], set()
    for path in paths:
        stem = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)).lstrip("._-")[:120] or "slide"
        name, number = stem, 2
        while name in seen:
            name, number = f"{stem}-{number}", number + 1
        seen.add(name)
        ids.append(name)
    return ids


def config_text(tasks, title) -> str:
    """Write a new study's config.

    Parameters
    ----------
    tasks : sequence of {"classification", "segmentation"}
        Those that the study is for.
    title : str
        What heads the report.

    Returns
    -------
    str
        YAML, every key with a comment.
    """
    environment = Environment(  # noqa: S701  it fills YAML, where nothing is escaped
        loader=PackageLoader("slidecaf.study"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    chosen = {task: task in tasks for task in TASKS}
    return environment.get_template("config.yaml.j2").render(title=json.dumps(title, ensure_ascii=False), **chosen)


def make_study(folder, *, slides=None, tasks=("classification",)):
    """Make a study; nothing is overwritten.

    Parameters
    ----------
    folder : path-like
        Made where it is missing.
    slides : path-like, optional
        The folder of slides. Without it the sheets have a header only.
    tasks : sequence of {"classification", "segmentation"}, optional

    Returns
    -------
    list of pathlib.Path
        The files that were written.

    Raises
    ------
    SlidecafError
        If a file is there already, or no slide is found.
    """
    folder = Path(folder)
    sheets = {task: folder / f"{task}.tsv" for task in tasks}
    files = [folder / "config.yaml", *sheets.values(), folder / "README.md"]
    for path in files:
        if path.exists():
            raise SlidecafError(f"{path} is there already and is not overwritten; choose another folder.")
    paths = find_slides(slides) if slides else []
    rows = [
        {"slide": slide, "path": _from(folder, path), "split": "train"}
        for slide, path in zip(slide_ids(paths), paths, strict=True)
    ]
    for task, sheet in sheets.items():
        further = ["hemorrhage"] if task == "segmentation" else []
        write_tsv(sheet, ["slide", "path", TASKS[task], *further, "patient", "split"], rows)
    said = README.format(
        s="s" if len(sheets) > 1 else "",
        sheets=", ".join(f"`{sheet.name}`" for sheet in sheets.values()),
        columns="\n".join(COLUMN[task] for task in sheets),
        config="the label that counts as positive, " if "classification" in sheets else "",
        folder=folder.absolute(),
    )
    for path, text in ((files[0], config_text(tasks, folder.absolute().name)), (files[-1], said)):
        with atomic(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return files


def _from(folder, path):
    """Return a slide's path as the sheet has it: relative within the study, absolute outside, which may move."""
    folder, path = folder.resolve(), path.absolute()
    inside = path.is_relative_to(folder)
    return (path.relative_to(folder) if inside else path).as_posix()
