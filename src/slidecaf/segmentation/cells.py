"""Cells: the rectangles of a slide on which all pixels lie in the same patches.

A confidence map is constant on each of them (paper, section 3.3: a pixel's confidence is the mean over the patches
that contain it). Thresholds, areas, objects and scores taken on cells, with the cells' areas in px, are those of the
pixels. Where the stride divides the patch size, cells are squares of stride x stride px, cut off at the slide's border.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Cells:
    """A grid of rectangles that covers a slide.

    Attributes
    ----------
    cuts_x : ndarray of int64, shape (columns + 1,)
        Where cells begin and end, ascending from 0 to the slide's width, in px of level 0.
    cuts_y : ndarray of int64, shape (rows + 1,)
        The same from 0 to the height.

    Examples
    --------
    Two patches of 4 px that overlap by 2, on a slide of 6 x 4 px:

    >>> cells = Cells.of_patches(np.array([[0, 0], [2, 0]]), 4, 6, 4)
    >>> cells.cuts_x.tolist(), cells.cuts_y.tolist()
    ([0, 2, 4, 6], [0, 4])
    >>> cells.areas
    array([[8, 8, 8]])
    >>> cells.expand(np.array([[0.5, 1.0, 1.5]]), 0, 1)
    array([[0.5, 0.5, 1. , 1. , 1.5, 1.5]])
    """

    cuts_x: np.ndarray
    cuts_y: np.ndarray

    @classmethod
    def of_patches(cls, coords, patch_size, width, height, *, stride=None) -> "Cells":
        """Cut a slide where its patches begin and end.

        Parameters
        ----------
        coords : ndarray of int64, shape (N, 2)
            x and y of the patches at level 0; N may be 0, and the slide is one cell.
        patch_size : int
            The side of a patch in px of level 0.
        width, height : int
            Of the slide at level 0.
        stride : float, optional
            Px of level 0 from one patch to the next: cuts there too, so that cells are of one size where patches were
            left out and on slides that hold few.

        Returns
        -------
        Cells
        """
        coords = np.asarray(coords, np.int64).reshape(-1, 2)
        sides = zip(coords.T, (width, height), strict=True)
        return cls(*(_cuts(starts, patch_size, length, stride) for starts, length in sides))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.cuts_y) - 1, len(self.cuts_x) - 1

    @property
    def areas(self) -> np.ndarray:
        """Px in each cell: ndarray of int64, shape (rows, columns)."""
        return np.diff(self.cuts_y)[:, None] * np.diff(self.cuts_x)

    def spans(self, coords, patch_size) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return which cells patches consist of.

        Parameters
        ----------
        coords : ndarray of int64, shape (N, 2)
        patch_size : int

        Returns
        -------
        left, right, top, bottom : ndarray of int64, shape (N,)
            Columns left to right - 1 and rows top to bottom - 1; what lies beyond the slide is cut off.
        """
        (left, right), (top, bottom) = (
            (cell_at[np.clip(side, 0, len(cell_at) - 1)], cell_at[np.clip(side + patch_size, 0, len(cell_at) - 1)])
            for cell_at, side in ((_cell_at(self.cuts_x), coords[:, 0]), (_cell_at(self.cuts_y), coords[:, 1]))
        )
        return left, right, top, bottom

    def covered(self, coords, patch_size) -> np.ndarray:
        """Tell which cells lie in any of some patches.

        Parameters
        ----------
        coords : ndarray of int64, shape (N, 2)
        patch_size : int

        Returns
        -------
        ndarray of bool, shape (rows, columns)
        """
        left, right, top, bottom = self.spans(np.asarray(coords, np.int64).reshape(-1, 2), patch_size)
        change = np.zeros(np.add(self.shape, 1), np.int64)
        for rows, columns, step in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
            np.add.at(change, (rows, columns), step)
        return change.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0

    def count(self, strips) -> np.ndarray:
        """Count the pixels of masks in each cell, strip by strip.

        Parameters
        ----------
        strips : iterable of ndarray of bool, shape (K, h, width)
            The rows of K masks from top to bottom; heights may differ from strip to strip.

        Returns
        -------
        ndarray of int64, shape (K, rows, columns)
        """
        counts, y = None, 0
        for strip in strips:
            if counts is None:
                counts = np.zeros((len(strip), *self.shape), np.int64)
            by_column = np.add.reduceat(strip, self.cuts_x[:-1], axis=2, dtype=np.int64)
            rows = np.searchsorted(self.cuts_y, np.arange(y, y + strip.shape[1]), side="right") - 1
            first = np.flatnonzero(np.diff(rows, prepend=-1))
            counts[:, rows[first]] += np.add.reduceat(by_column, first, axis=1)
            y += strip.shape[1]
        return counts

    def expand(self, values, top, bottom) -> np.ndarray:
        """Return the pixels of some rows of the slide.

        Parameters
        ----------
        values : ndarray, shape (rows, columns)
            One value a cell.
        top, bottom : int
            Rows top to bottom - 1 of the slide, in px of level 0.

        Returns
        -------
        ndarray, shape (bottom - top, width)
        """
        rows = np.searchsorted(self.cuts_y, np.arange(top, bottom), side="right") - 1
        shown, rows = np.unique(rows, return_inverse=True)
        # columns first: a row of cells is drawn out once, and then copied as a whole
        return np.repeat(values[shown], np.diff(self.cuts_x), axis=1)[rows]

    def sample(self, values, top, rows, step) -> np.ndarray:
        """Return the pixels of some rows of the slide made smaller: of each block of px the middle one's value.

        Parameters
        ----------
        values : ndarray, shape (rows, columns)
            One value a cell.
        top, rows : int
            The first row and how many, in px of the smaller slide.
        step : int
            Px of level 0 for one px.

        Returns
        -------
        ndarray, shape (rows, width), where width is that of the slide over step, rounded up
        """
        place = [
            np.searchsorted(cuts, np.minimum(np.arange(first, last) * step + step // 2, cuts[-1] - 1), side="right") - 1
            for cuts, first, last in (
                (self.cuts_y, top, top + rows),
                (self.cuts_x, 0, -(-int(self.cuts_x[-1]) // step)),
            )
        ]
        return values[np.ix_(*place)]


def box_sums(values, left, right, top, bottom) -> np.ndarray:
    """Sum the cells of boxes, by an integral image.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
    left, right, top, bottom : ndarray of int64, shape (N,)
        As `Cells.spans` gives them.

    Returns
    -------
    ndarray of the integral image's type, shape (N,)

    Examples
    --------
    >>> values = np.array([[1, 2, 3], [4, 5, 6]])
    >>> left, right, top, bottom = np.array([[0, 1], [2, 3], [0, 0], [1, 2]])
    >>> box_sums(values, left, right, top, bottom)
    array([ 3, 16])
    """
    integral = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.result_type(values, np.int64))
    integral[1:, 1:] = values.cumsum(axis=0, dtype=integral.dtype).cumsum(axis=1)
    return integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]


def _cell_at(cuts):
    """Return for each px from 0 to the last cut the first cut that is not below it."""
    return np.repeat(np.arange(len(cuts)), np.diff(cuts, prepend=-1))


def _cuts(starts, patch_size, length, stride):
    starts = np.unique(starts)
    grid = np.rint(np.arange(0, length, stride)).astype(np.int64) if stride else []
    cuts = np.unique(np.concatenate([starts, starts + patch_size, grid, [0, length]])).astype(np.int64)
    return cuts[(cuts >= 0) & (cuts <= length)]
