"""Hard examples: patches in regions that left-out maps miss or falsely find (paper, section 3.3, change 2)."""

import numpy as np

from slidecaf.segmentation.cells import box_sums

MISSED, FALSE = "missed", "false"


def hard_patches(truth, predicted, coords, patch_size) -> dict:
    """Find patches with more than half their area in a missed region, or in a false one.

    Parameters
    ----------
    truth : slidecaf.segmentation.labels.Truth
    predicted : ndarray of bool, shape (rows, columns)
        Of the same cells.
    coords : ndarray of int64, shape (N, 2)
        x and y of the patches to look at, at level 0.
    patch_size : int
        The side of a patch in px of level 0. Only pixels of the slide count.

    Returns
    -------
    dict of str to ndarray of int64
        ``missed`` (true and not predicted; hemorrhage is never missed) and ``false`` (predicted and not true), each
        with the places in `coords`, ascending.
    """
    spans = truth.cells.spans(coords, patch_size)
    half = box_sums(truth.cells.areas, *spans) / 2
    missed = np.where(predicted, 0, truth.necrosis - truth.both)
    false = np.where(predicted, truth.cells.areas - truth.necrosis, 0)
    return {
        MISSED: np.flatnonzero(box_sums(missed, *spans) > half),
        FALSE: np.flatnonzero(box_sums(false, *spans) > half),
    }


def draw(rows, *, training_rows, copies, max_share, seed) -> list:
    """Draw as many hard examples as may join the training rows.

    Parameters
    ----------
    rows : list
        All that were found, in a fixed order.
    training_rows : int
        The training rows that they join.
    copies : int
        How many more times each counts.
    max_share : float
        Of `training_rows` that the copies may add at most.
    seed : int

    Returns
    -------
    list
        Those drawn, in the same order; all of them where they are few enough.
    """
    most = int(max_share * training_rows / copies)
    if len(rows) <= most:
        return list(rows)
    drawn = np.random.default_rng(seed).choice(len(rows), most, replace=False)
    return [rows[k] for k in np.sort(drawn)]
