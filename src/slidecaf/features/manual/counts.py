"""Histograms of overlapping patches: pixels are counted once a cell, and cells added up.

The edges of all patches cut a region into cells. Counts are whole numbers, so that sums and differences are exact.
"""

import numpy as np


def count(codes, kinds, window, stride):
    """Count the codes in windows of a region.

    Parameters
    ----------
    codes : ndarray of uint8, shape (h, w)
        Below `kinds`.
    kinds : int
    window, stride : int
        The windows' side and the distance from one to the next, in px; a window at least fits.

    Returns
    -------
    ndarray of int64, shape (rows, columns, kinds)
    """
    first_y, last_y, row_of, rows = _cut(codes.shape[0], window, stride)
    first_x, last_x, column_of, columns = _cut(codes.shape[1], window, stride)
    codes = codes[: len(row_of), : len(column_of)]
    places = (row_of[:, None] * columns + column_of) * kinds + codes
    counts = np.bincount(places.ravel(), minlength=rows * columns * kinds).reshape(rows, columns, kinds)
    below = _running(counts)
    counts = (below[last_y] - below[first_y]).swapaxes(0, 1)
    below = _running(counts)
    return (below[last_x] - below[first_x]).swapaxes(0, 1)


def _cut(length, window, stride):
    """Return the windows' first cells and those behind their last, each pixel's cell, and the number of cells."""
    starts = np.arange(0, length - window + 1, stride)
    edges = np.union1d(starts, starts + window)
    cells = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    return np.searchsorted(edges, starts), np.searchsorted(edges, starts + window), cells, len(edges) - 1


def _running(counts):
    """Add up along the first axis; row i is the sum of those before i."""
    below = np.zeros((len(counts) + 1, *counts.shape[1:]), np.int64)
    np.cumsum(counts, axis=0, out=below[1:])
    return below
