"""Slides to predict: a study that learns nothing, made of a model and of files, folders or a sheet of slides."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.exchange.model import SHEET, read_stated, unpack_model
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json, write_json, write_tsv
from slidecaf.slides import open_slide
from slidecaf.study.columns import COLUMNS
from slidecaf.study.ids import slide_ids
from slidecaf.study.model import STATED
from slidecaf.study.new import find_slides, path_from
from slidecaf.study.sheet_file import read_table
from slidecaf.study.sheets import IMAGE, PATHS, read_sheet

FOLDER = "model"
"""Where the model lies in the study."""

NEAR = 0.1
"""Share by which a slide's resolution may leave that of the slides that were learned from, where sizes count in px."""

TABLES = (".tsv", ".csv")
"""Suffixes of sheets."""

HEAD = """\
# Written by slidecaf predict: nothing is learned here; the model decides on the slides of {sheet}.
# To predict further slides, call the same command with them.
"""


def make_prediction(folder, archive, slides: Sequence, *, weights=None, any_resolution=False) -> list[str]:
    """Make a study that predicts, or give one other slides.

    Parameters
    ----------
    folder : path-like
        The study, made where it is missing.
    archive : path-like
        What `slidecaf.exchange.model.export_model` wrote.
    slides : sequence of path-like
        Slides, folders of slides, and sheets (TSV or CSV) with the columns ``slide`` and ``path``, and any others that
        sheets have. Labels and masks, where there are any, are for scores alone.
    weights : mapping of str to path-like, optional
        As for `slidecaf.exchange.model.unpack_model`.
    any_resolution : bool, optional
        Whether slides of another resolution than those that were learned from are taken.

    Returns
    -------
    list of str
        Sentences on slides that do not suit, and are taken all the same.

    Raises
    ------
    SlidecafError
        If the folder holds something else, the model is damaged, or a slide does not suit.
    InputErrors
        If a sheet will not do.
    """
    folder, stated = Path(folder), read_stated(archive)
    _refuse_other(folder, stated)
    rows = _rows(slides, folder.absolute(), stated)
    said = _check_resolution(rows, folder, stated, any_resolution)
    stated = unpack_model(archive, folder / FOLDER, weights or {})
    for task, of in stated["tasks"].items():
        folds = folder / FOLDER / task / of["method"] / "folds.tsv"
        if not folds.is_file():  # the slides that were learned from are not named
            write_tsv(folds, ["slide", "patient", "fold"], [])
    if not (folder / FOLDER / STATED).is_file():
        write_json(folder / FOLDER / STATED, stated)
    config = {**stated["config"], "model": FOLDER, "on_bad_slide": "exclude", "on_copies": "exclude"}
    text = HEAD.format(sheet=SHEET) + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write_tsv(folder / SHEET, columns, rows, checked=False)
    for task in stated["tasks"]:
        read_sheet(folder / SHEET, task)
    with atomic(folder / "config.yaml") as partial:
        partial.write_text(text, encoding="utf-8")
    return said


def _refuse_other(folder, stated):
    """Refuse a folder that holds anything but predictions of the same model."""
    model = folder / FOLDER / STATED
    if model.is_file():
        if read_json(model)["files"] == stated["files"]:
            return
        raise SlidecafError(f"{folder} holds predictions of another model; choose another folder.")
    if (folder / "config.yaml").exists():
        raise SlidecafError(f"{folder} holds a study; choose another folder for predictions.")


def _rows(slides, folder, stated):
    """Return the rows of the sheet: what sheets say, and of files and folders an id made of the name."""
    rows, paths = [], []
    for item in map(Path, slides):
        if item.suffix.lower() in TABLES and item.is_file():
            rows += _of_sheet(item, folder, stated)
        elif item.is_dir():
            paths += find_slides(item)
        elif item.exists():
            paths.append(item)
        else:
            raise SlidecafError(f"{item} is not there; give slides, folders of slides, or a sheet with slide and path.")
    rows += [
        {"slide": slide, "path": path_from(folder, path)} for slide, path in zip(slide_ids(paths), paths, strict=True)
    ]
    wanted = {"classification": "label", "segmentation": "mask"}
    needed = dict.fromkeys(wanted[task] for task in stated["tasks"])
    return [
        {**{"slide": "", "path": ""}, **dict.fromkeys(needed, ""), **row}
        | {"patient": row.get("patient") or row.get("slide", ""), "split": "test"}
        for row in rows
    ]


def _of_sheet(sheet, folder, stated):
    """Return the rows of a sheet, their paths as the study's own sheet has them."""
    known = {column.name for task in stated["tasks"] for column in COLUMNS[task]}
    header, lines = read_table(sheet, known)
    header = ["slide" if name == IMAGE and "slide" not in header else name for name in header]
    if missing := [name for name in ("slide", "path") if name not in header]:
        raise SlidecafError(f"{sheet}: row 1: the column {missing[0]} is missing; write a sheet with slide and path.")
    rows = [dict(zip(header, line, strict=False)) for _, line in lines]
    for row in rows:
        for key in PATHS:
            if row.get(key):
                row[key] = path_from(folder, sheet.absolute().parent / row[key])
        row.pop("fold", None)  # of training rows
    return rows


def _check_resolution(rows, folder, stated, any_resolution):
    """Compare the slides' resolution with that of the slides that were learned from, where sizes count in px."""
    known = [found for found in stated["resolution"].values() if found]
    if not known:
        return []
    low, high = min(one[0] for one in known), max(one[1] for one in known)

    def look(row):
        try:
            with open_slide(folder / row["path"], name=row["slide"], mpp=_number(row.get("mpp"))) as opened:
                return opened.mpp
        except SlideError:
            return low  # the run says what is wrong with it

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(look, rows))
    learned = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    said = [
        f"slide {row['slide']}: {f'{mpp:.4g} micrometres a pixel' if mpp else 'its resolution is not known'}, and the "
        f"model learned from slides of {learned}"
        for row, mpp in zip(rows, found, strict=True)
        if not mpp or not low * (1 - NEAR) <= mpp <= high * (1 + NEAR)
    ]
    if said and not any_resolution:
        more = f", and {len(said) - 1} slides more" if len(said) > 1 else ""
        raise SlidecafError(
            f"{said[0]}{more}; write the column mpp into a sheet where the file is wrong, leave such slides out, or "
            "take them all the same: --any-resolution"
        )
    return said


def _number(text):
    try:
        return float((text or "").replace(",", ".")) if text else None
    except ValueError:  # the sheet's check says so
        return None
