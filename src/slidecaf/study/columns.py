"""Columns of the sheets: what each means, and how a cell becomes a value."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from slidecaf.study.names import NAME

DECIMAL = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?")
"""A number with a point or, as spreadsheets of some countries write it, a comma."""

WHOLE = re.compile(r"([+-]?[0-9]{1,20})([.,]0+)?")
"""A whole number; spreadsheets and tables with gaps write 2.0 for 2."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    Attributes
    ----------
    name : str
    description : str
        What to write into a cell; it ends the sentence of an error.
    read : callable
        From a cell's text, trimmed, to its value; a ValueError where the text will not do.
    needed : bool
        Whether the sheet must have the column.
    """

    name: str
    description: str
    read: Callable[[str], Any]
    needed: bool = False


def _text(text, *, least=0, most):
    if not least <= len(text) <= most or CONTROL.search(text):
        raise ValueError(text)
    return text


def _id(text):
    if not NAME.fullmatch(text):
        raise ValueError(text)
    return text


def _split(text):
    if text not in ("", "train", "test"):
        raise ValueError(text)
    return text or "train"


def _number(text, *, kind, least, most):
    if not text:
        return None
    match = (WHOLE if kind is int else DECIMAL).fullmatch(text)
    if not match:
        raise ValueError(text)
    value = int(match[1]) if kind is int else float(text.replace(",", "."))
    if not least <= value <= most:  # nor is NaN within
        raise ValueError(text)
    return value


_path = partial(_text, most=4096)
_filled_path = partial(_text, least=1, most=4096)
_words = partial(_text, most=200)
_filled_words = partial(_text, least=1, most=200)

SLIDE = Column(
    "slide",
    "A unique id of letters, digits, '.', '_' and '-', first a letter or digit, no '..', at most 128.",
    _id,
    needed=True,
)
PATH = Column(
    "path",
    "The slide's file, relative to the folder of this sheet, without control characters.",
    _filled_path,
    needed=True,
)
LABEL = Column(
    "label",
    "The slide's class, at most 200 characters, no control characters; only a test row may leave it empty.",
    _words,
    needed=True,
)
MASK = Column(
    "mask",
    "The necrosis mask, PNG or TIFF of the slide's size, relative to the folder of this sheet; only a test row may "
    "leave it empty.",
    _path,
    needed=True,
)
LESION = replace(
    MASK,
    description="A mask of the lesion, a picture of the slide's size whose light part it is, with which a "
    "classification's maps are compared; empty where there is none.",
    needed=False,
)
HEMORRHAGE = Column(
    "hemorrhage",
    "A mask of hemorrhage; patches of necrosis that it covers by more than half are learned as non-necrosis. Empty "
    "where there is none.",
    _path,
)
PATIENT = Column(
    "patient",
    "The patient (or block, or site) that never straddles a fold, in at most 200 characters, no control characters.",
    _filled_words,
    needed=True,
)
LEFT_OUT = replace(
    PATIENT,
    description="The patient (or block, or site) that is left out as a whole, in at most 200 characters, no control "
    "characters.",
)
SPLIT = Column("split", "train or test; empty is train.", _split)
MPP = Column(
    "mpp",
    "Micrometres a pixel at level 0, from 0.01 to 50; wins over the file's. Empty takes the file's.",
    partial(_number, kind=float, least=0.01, most=50),
)
SCENE = Column(
    "scene",
    "Name or number, from 0, of the image that is the slide, where the file holds several; otherwise empty.",
    _words,
)
ROI = Column(
    "roi",
    "The region of interest, GeoJSON as QuPath exports it, relative to the folder of this sheet: patches whose centre "
    "lies outside are left out. Empty takes the whole slide.",
    _path,
)
FOLD = Column(
    "fold",
    "A whole number from 0 to a million that fixes the fold of a training row, for all training rows or none.",
    partial(_number, kind=int, least=0, most=1_000_000),
)

COLUMNS = {
    "classification": (SLIDE, PATH, LABEL, PATIENT, SPLIT, LESION, MPP, SCENE, ROI, FOLD),
    "segmentation": (SLIDE, PATH, MASK, HEMORRHAGE, LEFT_OUT, SPLIT, MPP, SCENE, ROI, FOLD),
}
"""Task to the columns of its sheet."""
