"""Sheets: the tables that list slides, read and checked whole before any job runs.

`slidecaf.study.sheet_file` reads a file's cells. Columns, defaults and what each may hold stand in
`slidecaf.study.columns`. Further columns are kept. Row numbers in errors are those a spreadsheet shows: the header is
row 1.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from pathlib import Path

from slidecaf.errors import InputErrors
from slidecaf.files.faults import is_file
from slidecaf.study.columns import COLUMNS
from slidecaf.study.names import near
from slidecaf.study.sheet_file import read_table
from slidecaf.study.spellings import check_spellings

PATHS = ("path", "mask", "hemorrhage", "roi")
"""Columns that name a file."""

IMAGE = "image"
"""What the sheet of a collection may call the column ``slide``."""

LIKE = 0.75
"""How like a known column, from 0 to 1, another one has to be to be taken for a slip of the pen."""


@dataclass(frozen=True)
class Row:
    """One slide of a sheet.

    Attributes
    ----------
    number : int
        The row in the sheet; the header is row 1.
    slide : str
        The slide's id.
    path : str
        Its file: the sheet's folder and the path given there.
    patient : str
        The group that never straddles a fold.
    split : str
        ``train`` or ``test``.
    mpp : float or None
        Micrometres a pixel, where the sheet says so.
    fold : int or None
        The fold that the sheet fixes.
    scene : str
        Which image of the file is the slide; empty where it holds one.
    label : str
        Its class; empty where unknown. Of classification.
    mask : str
        The file of its necrosis mask; empty where unknown. Of segmentation, as
    hemorrhage : str
        the file of its hemorrhage mask; empty where there is none.
    roi : str
        The file of its region of interest; empty where that is the whole slide.
    more : dict of str to str
        Further columns, as they are.
    """

    number: int
    slide: str
    path: str
    patient: str
    split: str
    mpp: float | None
    fold: int | None
    scene: str = ""
    label: str = ""
    mask: str = ""
    hemorrhage: str = ""
    roi: str = ""
    more: dict = field(default_factory=dict, hash=False)


def read_sheet(path, task, *, made=()) -> list:
    """Read a sheet and check all that can be told without opening a slide.

    Parameters
    ----------
    path : path-like
    task : {"classification", "segmentation"}
        Whose columns it has.
    made : container of str, optional
        Paths of slides and masks that the workflow makes, which need not exist yet.

    Returns
    -------
    list of Row
        In the sheet's order.

    Raises
    ------
    InputErrors
        With every problem found: missing or misspelt columns, values that will not do, ids or paths given twice,
        files that are missing, patients on both sides of the split or in two folds, labels or patients that say that
        they are missing or have two spellings.
    """
    known = {column.name: column for column in COLUMNS[task]}
    header, lines = read_table(path, known)
    called = _id_column(header, task)
    header = ["slide" if column == called else column for column in header]
    cells, problems = _check_cells(header, lines, known, called)
    folder = Path(path).parent
    rows = [Row(number, **_within(folder, values)) for number, values in cells]
    problems += _twice(rows, called) + _missing_files(rows, made) + _straddling(rows)
    problems += check_spellings(rows, "label") + check_spellings(rows, "patient")
    if problems:
        raise InputErrors(path, problems)
    return rows


def _id_column(header, task):
    """Return what the sheet calls the column of ids: a collection writes ``image`` in place of ``slide``."""
    return IMAGE if task == "classification" and IMAGE in header and "slide" not in header else "slide"


def _check_cells(header, lines, known, called):
    """Turn lines into (row number, values by column), collecting every problem."""
    problems, times = [], Counter(header)
    absent = [column for column in known if column not in times]
    for column in times:
        # what is like a column that is not there would be an option that nobody reads
        if column not in known and (like := near(column.casefold(), absent, cutoff=LIKE)):
            problems.append(f"row 1: unknown column {column!r}{like} Rename it; known: {', '.join(known)}.")
        elif times[column] > 1:
            shown = called if column == "slide" else column or "without a name"
            problems.append(f"row 1: the column {shown} stands there twice; keep one.")
    problems += [
        f"row 1: the column {name} is missing; {column.description}"
        for name, column in known.items()
        if column.needed and name not in header
    ]
    if problems:
        return [], problems
    readers = {name: _remembered(column.read) for name, column in known.items()}
    further = [column for column in times if column not in known]
    rows = []
    for number, line in lines:
        if any(line[len(header) :]):
            problems.append(
                f"row {number}: {len(line)} cells under {len(header)} columns; take the extra ones out, or "
                "quote a cell that holds the separator."
            )
            continue
        given = dict(zip(header, line, strict=False))
        read = {column: readers[column](given.get(column, "")) for column in known}
        wrong = [column for column, (_, bad) in read.items() if bad]
        problems += [
            f"row {number}, column {called if column == 'slide' else column}: {_shown(given.get(column, ''))} will not "
            f"do. {known[column].description}"
            for column in wrong
        ]
        if not wrong:  # a row with a bad cell is looked at no further
            values = {column: value for column, (value, _) in read.items()}
            rows.append((number, {**values, "more": {column: given[column] for column in further if column in given}}))
    return rows, problems


def _shown(text):
    return "an empty cell" if not text else repr(text if len(text) <= 60 else text[:57] + "...")


def _remembered(read):
    """Return a function from a cell's text to its value and whether it is wrong; a text is read once."""
    seen = {}

    def check(text):
        if text not in seen:
            try:
                seen[text] = read(text), False
            except ValueError:
                seen[text] = None, True
        return seen[text]

    return check


def _twice(rows, called):
    problems, ids, paths = [], {}, {}
    for row in rows:
        first = ids.setdefault(row.slide, row)
        if first is not row:
            problems.append(
                f"row {row.number}, column {called}: {row.slide!r} already stands in row {first.number}; give each "
                f"{called} its own id."
            )
        first = paths.setdefault((row.path, row.scene), row)
        if first is not row and first.slide != row.slide:
            problems.append(
                f"row {row.number}, column path: {row.path!r} is already slide {first.slide!r} in row "
                f"{first.number}; list a file once."
            )
    return problems


def _within(folder, values):
    """Let the paths of a row start at the sheet's folder."""
    paths = {column: values.get(column, "") for column in PATHS}
    return values | {column: _path(folder, path) for column, path in paths.items() if path}


def _path(folder, path):
    if "\\" in path and not (folder / path).exists() and (folder / path.replace("\\", "/")).exists():  # as on Windows
        path = path.replace("\\", "/")
    head, slash, name = path.rpartition("/")
    if name in ("", ".", ".."):
        return (folder / path).as_posix()
    return f"{_started(folder, head + slash)}{name}"


@cache
def _started(folder, head):
    """Return how the paths begin that lie in a folder, which thousands of rows name alike."""
    return (folder / head / "x").as_posix().removesuffix("x")


def _missing_files(rows, made):
    listed, problems = {}, []
    for row in rows:
        for column in PATHS:
            path = getattr(row, column)
            if path and path not in made and not _is_there(path, column):
                problems.append(
                    f"row {row.number}, column {column}: there is no file {path!r} for slide {row.slide!r}; "
                    f"{_other_name(path, listed)}."
                )
    return problems


def _is_there(path, column):
    """Tell whether a path is a file; a slide may be a folder of files too."""
    return is_file(path) or (column == "path" and os.path.isdir(path))


def _other_name(path, listed):
    """Say what to write: another spelling where the folder has one; `listed` remembers folders."""
    folder, name = os.path.split(path)
    if "\\" in path:
        return "it is written as on Windows; write it with / and relative to the folder of this sheet"
    if folder not in listed:
        names = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
        listed[folder] = {found.casefold(): found for found in names}
    other = listed[folder].get(name.casefold())
    return f"there is {other!r}" if other else "write its path relative to the folder of this sheet"


def _straddling(rows):
    problems, sides, folds = [], {}, {}
    for row in rows:
        first = sides.setdefault(row.patient, row)
        if first.split != row.split:
            problems.append(
                f"row {row.number}, column patient: {row.patient!r} is in {row.split} here and in {first.split} "
                f"in row {first.number}; a patient belongs to one split."
            )
        if row.split == "train" and row.fold is not None:
            first = folds.setdefault(row.patient, row)
            if first.fold != row.fold:
                problems.append(
                    f"row {row.number}, column fold: patient {row.patient!r} is in fold {row.fold} here and in "
                    f"fold {first.fold} in row {first.number}; a patient belongs to one fold."
                )
    return problems


def check_classification(rows, *, source, positive, folds, chooses=False):
    """Check that a classification sheet can be learned from and cross-validated.

    Parameters
    ----------
    rows : list of Row
    source : path-like
        The sheet, for errors.
    positive : str or None
        The config's ``positive``.
    folds : int
        The config's ``folds``; unused where the sheet fixes the folds.
    chooses : bool, optional
        Whether a method has several candidates, which are tried on folds inside the training rows.

    Returns
    -------
    list of str
        The classes: with two, the negative and then the positive one; otherwise sorted.

    Raises
    ------
    InputErrors
        With every problem found.
    """
    train = [row for row in rows if row.split == "train"]
    problems = [
        f"row {row.number}, column label: slide {row.slide!r} is in train and has no label; write its class, or "
        "test into column split."
        for row in train
        if not row.label
    ]
    classes = sorted({row.label for row in train if row.label})
    problems += [
        f"row {row.number}, column label: {row.label!r} stands in test only; training knows "
        f"{', '.join(classes) or 'no label'}. Write one of these, or leave the cell empty."
        for row in rows
        if row.split == "test" and row.label and row.label not in classes
    ]
    if len(classes) == 1:
        problems.append(f"column label: all training rows are {classes[0]!r}; add rows of at least one other class.")
    if not train:
        problems.append("column split: no row is in train; write train for the slides to learn from.")
    if len(classes) > 2 and positive is not None:
        problems.append(
            f"classification.positive is {positive!r} in the config and the labels are {len(classes)} classes "
            f"({', '.join(classes)}), of which none is the positive one; take it out, or correct the labels."
        )
    if len(classes) == 2 and positive not in classes:
        problems.append(
            f"classification.positive is {positive!r} in the config and the labels are {', '.join(classes)}; "
            "set it to the one that a positive confidence shall stand for."
        )
    problems += _too_few_patients(train, classes, folds, 2 if chooses else 1)
    if problems:
        raise InputErrors(source, problems)
    if len(classes) == 2:
        classes.sort(key=lambda label: label == positive)
    return classes


def check_segmentation(rows, *, source, folds):
    """Check that a segmentation sheet can be learned from, with patients left out and inner maps of the others.

    Parameters
    ----------
    rows : list of Row
    source : path-like
        The sheet, for errors.
    folds : int or None
        The config's ``folds``; None leaves out each patient alone. Unused where the sheet fixes the folds.

    Raises
    ------
    InputErrors
        With every problem found.
    """
    train = [row for row in rows if row.split == "train"]
    problems = [
        f"row {row.number}, column mask: slide {row.slide!r} is in train and has no mask; write its mask's file, or "
        "test into column split."
        for row in train
        if not row.mask
    ]
    problems += [
        f"row {row.number}, column hemorrhage: slide {row.slide!r} has no mask that it could correct; write one into "
        "column mask, or leave the cell empty."
        for row in rows
        if row.hemorrhage and not row.mask
    ]
    patients = sorted({row.patient for row in train})
    if not train:
        problems.append("column split: no row is in train; write train for the slides to learn from.")
    elif len(patients) < 3:
        problems.append(
            f"column patient: {len(patients)} in train ({', '.join(patients)}); at least three are needed, one to "
            "leave out and two whose inner maps choose C and threshold. Add patients, or write the block or site."
        )
    elif gap := next((row for row in train if row.fold is None), None):
        if any(row.fold is not None for row in train):
            problems.append(
                f"row {gap.number}, column fold: empty, while other training rows name one; fill it for all training "
                "rows or for none."
            )
        elif folds and folds <= len(patients) < folds + 2 and len(patients) - ceil(len(patients) / folds) < 2:
            problems.append(
                f"column patient: {len(patients)} patients in train and segmentation.folds: {folds} leave one in a "
                "fold, whose inner map nothing could make; set it to null to leave out each patient alone."
            )
        elif folds and folds > len(patients):
            problems.append(
                f"column patient: {len(patients)} patients in train and the config asks for {folds} folds; set "
                f"segmentation.folds to {len(patients)} or less, or to null to leave out each patient alone."
            )
    problems += _left_without_two(train)
    if problems:
        raise InputErrors(source, problems)


def _left_without_two(train):
    if any(row.fold is None for row in train):
        return []
    folds = sorted({row.fold for row in train})
    if len(folds) == 1:
        return [f"column fold: every training row is in fold {folds[0]}; name at least two."]
    return [
        f"column fold: with fold {fold} left out one patient is left, whose inner map nothing could make; spread the "
        "patients over more folds."
        for fold in folds
        if len({row.patient for row in train if row.fold != fold}) < 2
    ]


def check_together(first, second, *, sources):
    """Check two sheets against one another: one id, one path, one scene, one resolution, one region.

    Parameters
    ----------
    first, second : list of Row
    sources : (path-like, path-like)
        The sheets, for errors.

    Raises
    ------
    InputErrors
        With every problem found, by the rows of the second sheet.
    """
    by_slide, by_path = {row.slide: row for row in first}, {(row.path, row.scene): row for row in first}
    problems = []
    for row in second:
        same = by_slide.get(row.slide)
        for column in ("path", "scene", "mpp", "roi"):
            if not same or getattr(same, column) == getattr(row, column):
                continue
            problems.append(
                f"row {row.number}, column {column}: slide {row.slide!r} has {getattr(row, column)!r} here and "
                f"{getattr(same, column)!r} in row {same.number} of {sources[0]}; write the same, or another id."
            )
        same = by_path.get((row.path, row.scene))
        if same and same.slide != row.slide:
            problems.append(
                f"row {row.number}, column path: {row.path!r} is slide {row.slide!r} here and {same.slide!r} in row "
                f"{same.number} of {sources[0]}; give a file one id."
            )
    if problems:
        raise InputErrors(sources[1], problems)


def _too_few_patients(train, classes, folds, least):
    """Say where a class has too few patients; `least` of each have to be left to learn from."""
    fixed = [row for row in train if row.fold is not None]
    if fixed and len(fixed) < len(train):
        gap = next(row for row in train if row.fold is None)
        return [
            f"row {gap.number}, column fold: empty, while other training rows name one; fill it for all training "
            "rows or for none."
        ]
    if fixed:
        return _unlearnable_folds(fixed, classes, least)
    problems = []
    for label in classes:
        count = len({row.patient for row in train if row.label == label})
        left = count - ceil(count / folds)  # as folds that share patients out evenly leave
        if count == 1:
            problems.append(
                f"column patient: {label!r} has one patient in train, so that no fold can be left out; add patients."
            )
        elif count < folds:
            problems.append(
                f"column patient: {label!r} has {count} patients in train and the config asks for {folds} folds; set "
                f"classification.folds to {count} or add patients."
            )
        elif left < least:
            way = f"set classification.folds to {count}" if count > 2 else "add patients"
            problems.append(
                f"column patient: {label!r} has {count} patients in train, of which {folds} folds leave {left} to "
                f"learn from, and a choice among candidates needs {least}; {way}, or give each list of the methods "
                "one value."
            )
    return problems


def _unlearnable_folds(train, classes, least):
    folds = sorted({row.fold for row in train})
    if len(folds) < 2:
        return [f"column fold: every training row is in fold {folds[0]}; name at least two."]
    problems = []
    for fold in folds:
        for label in classes:
            left = {row.patient for row in train if row.label == label and row.fold != fold}
            if not left:
                problems.append(
                    f"column fold: with fold {fold} left out no {label!r} is left to learn from; spread its patients "
                    "over more folds."
                )
            elif len(left) < least:
                problems.append(
                    f"column fold: with fold {fold} left out one patient of {label!r} is left, {left.pop()!r}, and a "
                    f"choice among candidates needs {least}; spread its patients over more folds, or give each list "
                    "of the methods one value."
                )
    return problems
