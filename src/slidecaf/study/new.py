"""A new study: a commented config with every key of its tasks, and sheets of the slides in a folder."""

import json
import os
from collections import Counter
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from slidecaf.errors import SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.parts import dicom_slides, lies_alone, parts_of
from slidecaf.files.tables import write_tsv
from slidecaf.study.checked import SLIDE_SUFFIXES
from slidecaf.study.collection import SPLITS, find_images
from slidecaf.study.ids import slide_ids

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

COLLECTION = """\
# A slidecaf study of an image collection

1. Look at the sheet, `classification.tsv`. One row is one image.
   - `label` is the name of the image's class folder.
   - `patient` is the image itself: every image counts as its own patient. Where several images are of one patient,
     lesion or place, write that instead. All images of a patient stay on one side of every split, so this column
     decides whether your score is honest.
   - `split`: `train`, or `test` for images that are predicted only and never learned from.
2. Look through `config.yaml`: with two classes the label that counts as positive, the network, `min_images`.
3. `slidecaf check` opens every image, and says how long a run takes.
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
    return _filled("config.yaml.j2", title, **{task: task in tasks for task in TASKS})


def collection_text(title, *, classes) -> str:
    """Write the config of a new study of an image collection.

    Parameters
    ----------
    title : str
        What heads the report.
    classes : int
        How many there are: with two, one has to be the positive one.

    Returns
    -------
    str
        YAML, the keys that collections need with a comment each.
    """
    return _filled("collection.yaml.j2", title, two=classes == 2)


def _filled(template, title, **values):
    environment = Environment(  # noqa: S701  it fills YAML, where nothing is escaped
        loader=PackageLoader("slidecaf.study"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(title=json.dumps(title, ensure_ascii=False), **values)


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
    _refuse_present(files)
    paths = find_slides(slides) if slides else []
    rows = [
        {"slide": slide, "path": path_from(folder, path), "split": "train"}
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
    _write({files[0]: config_text(tasks, folder.absolute().name), files[-1]: said})
    return files


def make_collection(folder, images) -> tuple[list, list]:
    """Make a study of an image collection; nothing is overwritten.

    Parameters
    ----------
    folder : path-like
        Made where it is missing.
    images : path-like
        A folder of class folders, as `slidecaf.study.collection.find_images` reads it.

    Returns
    -------
    files : list of pathlib.Path
        The files that were written.
    said : list of str
        Sentences: what was found, and what has to be looked at.

    Raises
    ------
    SlidecafError
        If a file is there already, or as `slidecaf.study.collection.find_images`.
    """
    folder = Path(folder)
    files = [folder / "config.yaml", folder / "classification.tsv", folder / "README.md"]
    _refuse_present(files)
    rows, others = find_images(images)
    inside = folder.resolve()
    for row in rows:
        row["path"] = path_from(inside, row["path"], resolved=True)
    sources = sorted({row["source"] for row in rows} - {""})
    write_tsv(files[1], ["image", "path", "label", "patient", "split", *(["source"] if sources else [])], rows)
    classes = Counter(row["label"] for row in rows)
    _write(
        {
            files[0]: collection_text(folder.absolute().name, classes=len(classes)),
            files[2]: COLLECTION.format(folder=folder.absolute()),
        }
    )
    return files, _said_of(rows, classes, sources, others)


def _said_of(rows, classes, sources, others):
    splits = Counter(row["split"] for row in rows)
    few = min(classes, key=lambda label: (classes[label], label))
    said = [
        f"{len(rows)} images of {len(classes)} classes, {splits['train']} in train and {splits['test']} in test; the "
        f"rarest class is {few} with {classes[few]}.",
        "Every image counts as its own patient. Where several are of one patient, lesion or place, write that into the "
        "sheet's column patient: otherwise scores are too good.",
    ]
    chosen = [name for name in sources if SPLITS[name.casefold()] == "train" and "val" in name.casefold()]
    if chosen:
        said.append(
            f"Images of {' and '.join(chosen)} are in train: settings are chosen by cross-validation inside the "
            "training rows. The column source keeps where they came from."
        )
    if others:
        listed = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(5))
        said.append(f"{others.total()} files are no images by their names and were passed over: {listed}.")
    return said


def _refuse_present(files):
    for path in files:
        if path.exists():
            raise SlidecafError(f"{path} is there already and is not overwritten; choose another folder.")


def _write(texts):
    for path, text in texts.items():
        with atomic(path) as partial:
            partial.write_text(text, encoding="utf-8")


def path_from(folder, path, *, resolved=False):
    """Return a slide's path as the sheet has it: relative within the study, absolute outside, which may move."""
    folder, path = folder if resolved else folder.resolve(), path.absolute()
    inside = path.is_relative_to(folder)
    return (path.relative_to(folder) if inside else path).as_posix()
