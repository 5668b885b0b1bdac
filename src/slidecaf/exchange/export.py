"""What every export starts from: the slides of a feature set, and the rows of their patches that are valid."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.features.file import one_output, open_features
from slidecaf.files.atomic import atomic
from slidecaf.study.layout import Layout
from slidecaf.study.names import split_output
from slidecaf.study.sheets import Row
from slidecaf.study.status import STATUS_OK


@dataclass(frozen=True)
class Extracted:
    """A slide with features.

    Attributes
    ----------
    row : slidecaf.study.sheets.Row
        Of its sheet.
    path : pathlib.Path
        Its features file.
    whole : bool
        Whether every patch is valid, and the file holds one output, so that it may stand for itself.
    output : str
        Which one is meant of a feature set with several.
    """

    row: Row
    path: Path
    whole: bool
    output: str = ""

    def read(self) -> tuple[np.ndarray, np.ndarray, dict]:
        """Read the valid patches.

        Returns
        -------
        features : ndarray of float16, shape (N, D)
        coords : ndarray of int64, shape (N, 2)
            x and y at level 0.
        attributes : dict
            Of the coordinates, as `slidecaf.tiles.grid.attributes` has them.
        """
        with open_features(self.path) as file:
            valid = file["valid"][:]
            return one_output(file, self.output)[:][valid], file["coords"][:][valid], dict(file["coords"].attrs)


def extracted_slides(study, folder, name):
    """List the slides of a feature set that have features.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
    folder : path-like
        The study's.
    name : str
        Of the feature set, or ``set/output`` of one with several.

    Returns
    -------
    slides : list of Extracted
        Sorted by id.
    left_out : dict of str to str
        Slide to why it has none, of those that the feature set's tasks list.

    Raises
    ------
    SlidecafError
        If there is no such feature set, or no slide has features.
    """
    known, (name, output) = study.config.features, split_output(name)
    if name not in known:
        raise SlidecafError(f"the study has no feature set {name!r}; write one of: {', '.join(known)}.")
    if known[name].is_whole:
        raise SlidecafError(
            f"features.{name}: tiling: whole gives one vector a slide, and CLAM, TRIDENT and STAMP learn from the "
            "patches of a slide; export a feature set whose tiling has a patch_size."
        )
    outputs = known[name].outputs
    if output not in (outputs or [""]):
        written = ", ".join(f"{name}/{one}" for one in outputs) or name
        what = f"there is no output {output!r}" if output else f"{name} has several outputs"
        raise SlidecafError(f"features.{name}: {what}; write one of: {written}.")
    pattern = Layout(study.config.results, study.config.model).features
    slides, left_out = [], {}
    # the classification's row where both tasks list a slide: it has the label
    rows = {row.slide: row for row in [*study.segmentation, *study.classification]}
    for slide, row in sorted(rows.items()):
        path = Path(folder, pattern.format(features=name, slide=slide))
        if not path.is_file():
            left_out[slide] = "no features file"
            continue
        with open_features(path) as file:
            status, valid = str(file["features"].attrs["status"]), file["valid"][:]
        if status == STATUS_OK and valid.any():
            slides.append(Extracted(row, path, bool(valid.all()) and not output, output))
        else:
            left_out[slide] = status
    if not slides:
        top = Path(folder, pattern.format(features=name, slide="")).parent
        raise SlidecafError(f"{top} holds features of no slide; run the study first: make run STUDY={folder}")
    return slides, left_out


def needed(attributes, key, slide, what) -> float:
    """Return an attribute that has to be a number.

    Parameters
    ----------
    attributes : mapping
        Of coordinates.
    key : str
    slide : str
        For the error.
    what : str
        Who needs it.

    Returns
    -------
    float

    Raises
    ------
    SlidecafError
        If it is not known.
    """
    value = float(attributes[key])
    if np.isnan(value):
        raise SlidecafError(
            f"slide {slide}: its micrometres a pixel are not known, which {what} needs; write them into the sheet's "
            "column mpp and run the study again."
        )
    return value


def write_csv(path, columns, rows) -> None:
    """Write a table as CSV.

    Parameters
    ----------
    path : path-like
    columns : sequence of str
    rows : iterable of sequence
    """
    with atomic(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([columns, *rows])
