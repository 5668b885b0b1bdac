"""Blocks: rectangles of a slide's grid of patches, in which dense extraction goes through it.

The grid's cells are squares of the stride's size. A patch covers its own cell and `reach` further ones to the right and
below, and belongs to the block where its last cell is: all that it covers is then in this block or in earlier ones.
"""

from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil

import numpy as np


@dataclass(frozen=True, eq=False)
class Block:
    """A rectangle of cells.

    Attributes
    ----------
    left, top : int
        Its first column and row.
    shape : (int, int)
        Rows and columns.
    rows : ndarray of int64, shape (n,)
        Which of the slide's patches belong to it, ascending; there may be none.
    grid_x, grid_y : ndarray of int64, shape (n,)
        Columns and rows of these patches' last cells within the block.
    needs : tuple of Block
        Earlier blocks that hold other cells of its patches.
    """

    left: int
    top: int
    shape: tuple
    rows: np.ndarray
    grid_x: np.ndarray
    grid_y: np.ndarray
    needs: tuple = ()


def plan_blocks(grid, side, width=None, reach=0):
    """Split a grid of patches evenly into blocks; those of which no patch has a cell are left out.

    Parameters
    ----------
    grid : ndarray of int64, shape (N, 2)
        Columns and rows of the patches' first cells, sorted by row and then column.
    side : int
        Cells along a block's side, at most.
    width : int, optional
        The same along a row, where it is another number.
    reach : int
        The further cells that a patch covers in both directions.

    Returns
    -------
    list of Block
        From left to right and top to bottom.
    """
    if not len(grid):
        return []
    kinds, edges = [], []
    for cells, most in zip(grid.T, (width or side, side), strict=True):
        count = int(cells.max()) + reach + 1
        cuts = np.linspace(0, count, ceil(count / most) + 1).round().astype(np.int64)
        edges.append(list(pairwise(cuts.tolist())))
        # from which to which block a patch reaches that begins at a cell
        block_of = np.repeat(np.arange(len(edges[-1])), np.diff(cuts))
        kinds.append(np.unique(np.stack([block_of[: count - reach], block_of[reach:]]), axis=1, return_inverse=True))
    (spans_x, kind_x), (spans_y, kind_y) = kinds
    present = np.zeros((spans_y.shape[1], spans_x.shape[1]), bool)
    present[kind_y[grid[:, 1]], kind_x[grid[:, 0]]] = True
    needs = {}
    for k, j in np.argwhere(present).tolist():
        (y, to_y), (x, to_x) = spans_y[:, k].tolist(), spans_x[:, j].tolist()
        needs.setdefault((to_y, to_x), set()).update(product(range(y, to_y + 1), range(x, to_x + 1)))
    blocks = {}
    for place in sorted(set().union(*needs.values())):
        (top, bottom), (left, right) = edges[1][place[0]], edges[0][place[1]]
        start, stop = np.searchsorted(grid[:, 1], (top - reach, bottom - reach))
        x, y = grid[start:stop].T + reach
        rows = np.flatnonzero((x >= left) & (x < right))
        earlier = tuple(blocks[other] for other in sorted(needs.get(place, ())) if other != place)
        own = start + rows, x[rows] - left, y[rows] - top
        blocks[place] = Block(left, top, (bottom - top, right - left), *own, earlier)
    return list(blocks.values())
