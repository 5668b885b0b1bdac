"""From a confidence map to a mask: smoothing, threshold, small objects removed, small holes filled (section 3.3).

All on cells, whose areas are weighed in px, so that the result is that of the same steps on pixels.
"""

import numpy as np
from scipy import ndimage

from slidecaf.errors import SlidecafError


def smooth(values, cells, sigma) -> np.ndarray:
    """Smooth a map by a Gaussian, cells weighed by their px.

    Cells without a value neither give nor get one, nor does what lies beyond the slide.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, columns)
        NaN where no patch is.
    cells : slidecaf.segmentation.cells.Cells
        Squares of one size, but for the last row and column.
    sigma : float
        In px of level 0; 0 returns the map as it is.

    Returns
    -------
    ndarray of float32, shape (rows, columns)

    Raises
    ------
    SlidecafError
        If the cells are of several sizes.
    """
    if not sigma:
        return values
    sides = [np.diff(cuts) for cuts in (cells.cuts_y, cells.cuts_x)]
    if any(len(np.unique(side[:-1])) > 1 for side in sides):
        raise SlidecafError(
            "smooth needs cells of one size: let the stride divide patch_size, both whole px of level 0, or write "
            "smooth: [0]."
        )
    known = ~np.isnan(values)
    weight = np.where(known, cells.areas, 0).astype(np.float64)
    sigmas = [sigma / side[0] for side in sides]
    with np.errstate(invalid="ignore"):
        mean = ndimage.gaussian_filter(
            weight * np.where(known, values, 0), sigmas, mode="constant"
        ) / ndimage.gaussian_filter(weight, sigmas, mode="constant")
    return np.where(known, mean, np.nan).astype(np.float32)


def binarise(values, threshold) -> np.ndarray:
    """Take the cells above a threshold.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, columns)
        NaN is not above anything.
    threshold : float

    Returns
    -------
    ndarray of bool, shape (rows, columns)
    """
    return values > np.float32(threshold)


def remove_small_objects(mask, areas, min_object) -> list:
    """Remove objects, of cells that share a side, below an area.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    areas : ndarray of int64, shape (rows, columns)
        Px of each cell.
    min_object : sequence of int
        Areas in px; an object of just this area stays.

    Returns
    -------
    list of ndarray of bool
        One for each area; the objects are looked for once.
    """
    if not any(min_object):
        return [mask] * len(min_object)
    found, count = ndimage.label(mask)
    (sizes,) = _sums(found, running_sums(areas), count)
    sizes[0] = -1  # the background is no object
    return [(sizes >= max(least, 0)).take(found) if least else mask for least in min_object]


def fill_small_holes(mask, areas, max_hole) -> list:
    """Fill holes, background cells that share a side, up to an area.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    areas : ndarray of int64, shape (rows, columns)
    max_hole : sequence of int
        Areas in px; a hole of just this area is filled. As in scikit-image, background at the border is a hole too;
        but a mask without any foreground has no holes and stays as it is.

    Returns
    -------
    list of ndarray of bool
        One for each area.
    """
    if not any(max_hole) or not mask.any():
        return [mask] * len(max_hole)
    found, count = ndimage.label(~mask)
    (sizes,) = _sums(found, running_sums(areas), count)
    sizes[0] = 0  # the foreground
    return [(sizes <= most).take(found) if most else mask for most in max_hole]


def filled_sums(mask, running, max_hole) -> np.ndarray:
    """Sum what masks hold once their small holes are filled, without making them: for many thresholds and areas.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    running : ndarray of int64, shape (K, rows * columns)
        `running_sums` of the cells' areas in px, by which holes are judged, and of K - 1 further arrays.
    max_hole : sequence of int
        As for `fill_small_holes`.

    Returns
    -------
    ndarray of float64, shape (areas, K)
        For each area the sums over the mask that `fill_small_holes` gives: whole numbers, exact below 2**53.
    """
    if not mask.any():
        return np.zeros((len(max_hole), len(running)))
    # without areas to fill up to, the background need not be parted into holes
    found, count = ndimage.label(~mask) if any(max_hole) else (~mask, 1)
    sums = _sums(found, running, count)
    holes = sums[:, 1:]
    filled = holes[0] <= np.asarray(max_hole)[:, None]
    return sums[:, 0] + filled @ holes.T


def running_sums(*values) -> np.ndarray:
    """Sum arrays of cells from the first cell on, row by row.

    Parameters
    ----------
    *values : ndarray of int64, shape (rows, columns)

    Returns
    -------
    ndarray of int64, shape (arrays, rows * columns)
    """
    return np.stack([value.ravel().cumsum() for value in values])


def _sums(found, running, count):
    """Return sums over the background and each labelled object, (K, count + 1).

    They are made run by run: runs are far fewer than cells.
    """
    labels = found.ravel()
    last = np.append(np.flatnonzero(labels[1:] != labels[:-1]), labels.size - 1)
    runs = np.diff(running[:, last], prepend=0)
    return np.stack([np.bincount(labels[last], run, count + 1) for run in runs])


def clean(mask, areas, *, min_object, max_hole, covered) -> np.ndarray:
    """Remove small objects, then fill small holes.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    areas : ndarray of int64, shape (rows, columns)
    min_object, max_hole : int
        Px.
    covered : ndarray of bool, shape (rows, columns)
        Where a patch is; nothing else becomes necrosis.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
    """
    (kept,) = remove_small_objects(mask, areas, [min_object])
    (filled,) = fill_small_holes(kept, areas, [max_hole])
    return filled & covered
