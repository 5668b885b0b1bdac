"""Circular primitives: the largest circles that fit into the pixels of a stain, one after another.

Source: section 5.2 of the paper (r_min, r_strel) and the circle-fit algorithm that it builds on (Tosun, Kandemir,
Sokmensuer and Gunduz-Demir, Pattern Recognition 2009), reimplemented from the description.
"""

from math import ceil

import numpy as np
from scipy import ndimage

from slidecaf.segmentation.graph_rlm.stains import STAINS


def disc(radius) -> np.ndarray:
    """Return a disc, for morphology.

    Parameters
    ----------
    radius : int
        In px, from 0.

    Returns
    -------
    ndarray of bool, shape (2 radius + 1, 2 radius + 1)
    """
    places = np.arange(-radius, radius + 1) ** 2
    return places[:, None] + places <= radius**2


def stain_masks(stains, r_strel) -> np.ndarray:
    """Tell which pixels belong to each stain once specks are closed and opened away.

    A pixel that closing gives to two stains stays with the darker one, so that circles of two stains never overlap.

    Parameters
    ----------
    stains : ndarray of uint8, shape (h, w)
        From `slidecaf.segmentation.graph_rlm.stains.quantise`.
    r_strel : int
        The radius of the disc in px, from 0.

    Returns
    -------
    ndarray of bool, shape (3, h, w)
    """
    element, taken, masks = disc(r_strel), np.zeros(stains.shape, bool), []
    for stain in range(STAINS):
        closed = _eroded(_grown(stains == stain, element), element)
        masks.append(_grown(_eroded(closed & ~taken, element), element))
        taken |= masks[-1]
    return np.stack(masks)


def _grown(mask, element):
    return ~_eroded(~mask, element)


def _eroded(mask, element):
    """Erode a mask, which goes on beyond the border as it is at the border's pixels."""
    radius = len(element) // 2
    padded = np.pad(mask, radius, mode="edge")
    return ndimage.binary_erosion(padded, element)[radius : radius + len(mask), radius : radius + mask.shape[1]]


def fit_circles(mask, r_min) -> np.ndarray:
    """Fit circles into a mask: again and again the largest that lies inside and overlaps none before it.

    Radii are whole px. The distance to the mask's edge says which circle fits around each pixel; a circle that is
    placed lowers it around itself, so that nothing else has to be looked at again.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        Beyond its border is no mask.
    r_min : int
        The smallest radius in px, from 1.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        x, y and radius of each circle, from large to small.

    Examples
    --------
    >>> mask = np.zeros((40, 60), bool)
    >>> mask[4:37, 5:38] = True  # a square of 33 px
    >>> fit_circles(mask, 8).tolist()
    [[21, 20, 16]]
    """
    # how far away the nearest pixel is that is not free: a circle with a smaller radius fits
    room = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1].astype(np.float32)
    circles = []
    for radius in range(ceil(room.max(initial=0)) - 1, r_min - 1, -1):
        candidates = np.flatnonzero(room > radius)
        candidates = candidates[np.argsort(-room.ravel()[candidates], kind="stable")]  # then from top to bottom
        for y, x in zip(*np.unravel_index(candidates, room.shape), strict=True):
            if room[y, x] > radius:
                circles.append((x, y, radius))
                _place(room, x, y, radius)
    return np.array(circles, np.int64).reshape(-1, 3)


def _place(room, x, y, radius):
    """Lower the room around a new circle. Those to come are no larger, so that what is further away keeps its own."""
    reach = 2 * radius + 1
    top, left = max(0, y - reach), max(0, x - reach)
    part = room[top : y + reach + 1, left : x + reach + 1]
    rows, columns = np.arange(top, top + part.shape[0]) - y, np.arange(left, left + part.shape[1]) - x
    np.minimum(part, np.sqrt((rows**2)[:, None] + columns**2, dtype=np.float32) - radius, out=part)
