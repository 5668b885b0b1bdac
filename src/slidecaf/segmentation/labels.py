"""What masks say of cells and patches (paper, section 3.3)."""

from dataclasses import dataclass

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.hdf5 import create_hdf5, open_hdf5, put_array
from slidecaf.segmentation.cells import Cells, box_sums
from slidecaf.segmentation.mask_values import one_sided
from slidecaf.study.status import STATUS_UNREADABLE

COUNTS = ("necrosis", "hemorrhage", "both")


@dataclass(frozen=True, eq=False)
class Truth:
    """A slide's masks, counted in cells.

    Attributes
    ----------
    cells : slidecaf.segmentation.cells.Cells
    necrosis : ndarray of int64, shape (rows, columns)
        Px of necrosis in each cell.
    hemorrhage : ndarray of int64, shape (rows, columns)
        Px of hemorrhage; all 0 without such a mask.
    both : ndarray of int64, shape (rows, columns)
        Px of necrosis and hemorrhage.
    """

    cells: Cells
    necrosis: np.ndarray
    hemorrhage: np.ndarray
    both: np.ndarray


def count_masks(cells, necrosis, hemorrhage=None) -> Truth:
    """Count the px of masks in cells, in one pass.

    Parameters
    ----------
    cells : slidecaf.segmentation.cells.Cells
    necrosis : iterable of ndarray of bool, shape (h, width)
        Strips from top to bottom.
    hemorrhage : iterable of ndarray of bool, optional
        Strips of the same heights.

    Returns
    -------
    Truth
    """
    if hemorrhage is None:
        (counted,) = cells.count(strip[None] for strip in necrosis)
        return Truth(cells, counted, np.zeros_like(counted), np.zeros_like(counted))
    pairs = zip(necrosis, hemorrhage, strict=True)
    return Truth(cells, *cells.count(np.stack([dead, bled, dead & bled]) for dead, bled in pairs))


def within(truth, judged) -> Truth:
    """Count masks in some cells only: those that a slide's region of interest has judged.

    Parameters
    ----------
    truth : Truth
    judged : ndarray of bool, shape (rows, columns)

    Returns
    -------
    Truth
        With 0 px elsewhere.
    """
    return Truth(truth.cells, *(getattr(truth, name) * judged for name in COUNTS))


def patch_labels(truth, coords, patch_size) -> np.ndarray:
    """Label patches: necrosis where the mask covers more than half of a patch.

    A necrosis patch of which hemorrhage covers more than half becomes non-necrosis (section 3.3, change 1). Only a
    patch's own pixels count, not those reflected beyond the slide's border.

    Parameters
    ----------
    truth : Truth
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0.
    patch_size : int
        The side of a patch in px of level 0.

    Returns
    -------
    ndarray of bool, shape (N,)
        True for necrosis.
    """
    spans = truth.cells.spans(coords, patch_size)
    area, necrosis, bled = (
        box_sums(counts, *spans) for counts in (truth.cells.areas, truth.necrosis, truth.hemorrhage)
    )
    return (2 * necrosis > area) & ~(2 * bled > area)


def write_labels(path, truth, labels, *, status, values="", origin=None) -> None:
    """Write what a slide's masks say of its cells and patches.

    Parameters
    ----------
    path : path-like
    truth : Truth or None
        None where the slide could not be opened: its status is ``unreadable``.
    labels : ndarray of bool, shape (N,)
        True where a patch is necrosis.
    status : str
        Of the slide's tiles.
    values : str, optional
        The values of a mask that has no foreground, or nothing else.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        file.attrs["status"] = status
        if values:
            file.attrs["mask_values"] = values
        put_array(file, "labels", np.asarray(labels, bool))
        if truth is not None:
            file.create_dataset("cuts_x", data=truth.cells.cuts_x)
            file.create_dataset("cuts_y", data=truth.cells.cuts_y)
            for name in COUNTS:
                put_array(file, name, getattr(truth, name))


def read_patch_labels(path, count) -> np.ndarray:
    """Read the labels of a slide's patches.

    Parameters
    ----------
    path : path-like
    count : int
        N, the patches of the slide.

    Returns
    -------
    ndarray of bool, shape (N,)

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        labels = file["labels"][:]
    if len(labels) != count:
        raise SlidecafError(f"{path} has {len(labels)} labels for {count} patches; delete it and run again.")
    return labels


def read_truth(path) -> Truth | None:
    """Read a slide's masks, counted in cells.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Truth or None
        None where the slide could not be opened.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        if str(file.attrs["status"]) == STATUS_UNREADABLE:
            return None
        cells = Cells(file["cuts_x"][:], file["cuts_y"][:])
        return Truth(cells, *(file[name][:] for name in COUNTS))


def check_truths(labels, *, sheet) -> None:
    """Check that the training masks together have foreground and background.

    Without one of them every model is constant and every map right about nothing, at a perfect score.

    Parameters
    ----------
    labels : iterable of path-like
        Labels files of all training slides.
    sheet : str
        The path of the sheet that lists the masks, for the error.

    Raises
    ------
    SlidecafError
        If no px is foreground, or all are; or if a file is missing or damaged.
    """
    masks = []
    for path in labels:
        if (truth := read_truth(path)) is not None:
            with open_hdf5(path) as file:
                values = str(file.attrs.get("mask_values", ""))
            masks.append((int(truth.necrosis.sum()), int(truth.cells.areas.sum()), values))
    if problem := one_sided(sheet, masks):
        raise SlidecafError(problem)
