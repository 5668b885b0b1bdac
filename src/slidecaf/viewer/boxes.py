"""Outlines of patches on the grid."""

import numpy as np

from slidecaf.viewer.zoom import tile_box

LEAST = 4
"""Px from one outline to the next below which they would run together, so that areas are filled instead."""


def box_outlines(coords, size, *, spacing, slide, tile) -> np.ndarray:
    """Draw the outlines of squares in a tile.

    Parameters
    ----------
    coords : ndarray of int64, shape (N, 2)
        Their upper left corners in px of level 0.
    size : int
        Their side in px of level 0.
    spacing : float
        Px of level 0 from one square to the next; what matters is how many px of the grid that is.
    slide : (int, int)
        The slide's width and height at level 0.
    tile : (int, int, int)
        Reduction, column and row.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        2 on a square's first and last pixels, 1 inside a square, 0 elsewhere; where squares or their spacing
        have less than `LEAST` px, 1 is all that is drawn.
    """
    reduction = tile[0]
    left, top, width, height = tile_box(*slide, *tile)
    first = np.asarray(coords, np.int64).reshape(-1, 2)
    # the squares that meet the tile, by the pixels of the grid in which they begin and end
    x0, y0 = (first >> reduction).T - np.array([[left], [top]])
    x1, y1 = ((first + size - 1) >> reduction).T - np.array([[left], [top]])
    near = (x1 >= 0) & (y1 >= 0) & (x0 < width) & (y0 < height)
    x0, y0, x1, y1 = x0[near], y0[near], x1[near], y1[near]
    drawn = _boxes(x0, y0, x1, y1, width, height).astype(np.uint8)
    if min(size, spacing) >= LEAST << reduction:
        edges = np.zeros((height, width), bool)
        for x, y, right, bottom in ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)):
            edges |= _boxes(x, y, right, bottom, width, height)
        drawn[edges] = 2
    return drawn


def _boxes(x0, y0, x1, y1, width, height):
    """Return which pixels lie in any of some boxes, by a difference array: cost grows with boxes + pixels."""
    inside = (x1 >= 0) & (y1 >= 0) & (x0 < width) & (y0 < height)
    x0, y0 = (np.maximum(start[inside], 0) for start in (x0, y0))
    x1, y1 = (np.minimum(end[inside] + 1, most) for end, most in ((x1, width), (y1, height)))
    steps = np.zeros((height + 1, width + 1), np.int32)
    for rows, columns, by in ((y0, x0, 1), (y0, x1, -1), (y1, x0, -1), (y1, x1, 1)):
        np.add.at(steps, (rows, columns), by)
    return steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0
