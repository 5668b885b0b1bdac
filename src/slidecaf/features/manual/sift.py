"""SIFT: one descriptor a patch, upright, its 4 × 4 cells of 8 orientations covering the whole patch.

The formula is Lowe's (IJCV 2004, section 6): gradients enter the cells by trilinear interpolation, under a Gaussian
window whose deviation is half the patch's side; the descriptor is scaled to norm 1, clipped at 0.2 and scaled again.
Neither is the image smoothed nor the patch turned: gradients are those of the patch's own pixels. A window that is a
product over rows and columns moves with the patch, so that overlapping patches share their pixels' gradients.
"""

import numpy as np
import torch

CELLS = 4
"""Cells along a patch's side."""

ORIENTATIONS = 8
"""Orientations of a cell: right, right and down, down, and so on."""

DIMENSION = CELLS * CELLS * ORIENTATIONS

CLIP = 0.2
"""The largest value before the second scaling, so that a few strong edges do not decide alone."""


def orient(gray):
    """Split each pixel's gradient between the two orientations that it lies between.

    Parameters
    ----------
    gray : ndarray of uint8, shape (h, w)

    Returns
    -------
    torch.Tensor of float32, shape (h - 2, w - 2, 8)
        The gradient's magnitude by orientation; pixels at the border have no neighbour on one side and are left out.
    """
    values = gray.astype(np.float32)
    right = values[1:-1, 2:] - values[1:-1, :-2]
    down = values[2:, 1:-1] - values[:-2, 1:-1]
    magnitude = np.sqrt(right * right + down * down)
    turn = np.arctan2(down, right) * np.float32(ORIENTATIONS / (2 * np.pi))
    before = np.floor(turn)
    share = turn - before  # 0 to 1: of the orientation after
    # floor of -π to π: -4 to 4; whole turns make it 0 to 7
    places = torch.from_numpy(before.astype(np.int64))
    places = torch.stack([places, places + 1], dim=2).remainder_(ORIENTATIONS)
    after = magnitude * share
    parts = torch.from_numpy(np.stack([magnitude - after, after], axis=2))
    return torch.zeros(*magnitude.shape, ORIENTATIONS).scatter_(2, places, parts)


def weights_of(size):
    """Weigh the pixels along a patch's side for its cells.

    Parameters
    ----------
    size : int
        The patch's side in px.

    Returns
    -------
    torch.Tensor of float32, shape (4, size - 2)
        A row a cell, a column a pixel, without those at the border: linear interpolation between the cells' centres,
        times the Gaussian window.
    """
    place = torch.arange(1, size - 1, dtype=torch.float64) + 0.5
    centre = (torch.arange(CELLS, dtype=torch.float64) + 0.5) * size / CELLS
    near = (1 - (place - centre[:, None]).abs() * CELLS / size).clamp(min=0)
    window = torch.exp(-((place - size / 2) ** 2) / (2 * (size / 2) ** 2))
    return (near * window).float()


def describe(oriented, size, stride):
    """Describe the patches of a region.

    Parameters
    ----------
    oriented : torch.Tensor of float32, shape (h - 2, w - 2, 8)
        Of `orient`.
    size, stride : int
        The patches' side and the distance from one to the next, in px.

    Returns
    -------
    ndarray of float32, shape (rows, columns, 128)
        By cell, row by row, and by orientation. Of norm 1; zero where all of a patch has one gray value.
    """
    weights = weights_of(size)
    width = oriented.shape[1]
    by_rows = _weigh(oriented.flatten(1), weights, stride)
    rows = len(by_rows)
    by_rows = by_rows.view(rows, CELLS, width, ORIENTATIONS).permute(2, 0, 1, 3).reshape(width, -1)
    cells = _weigh(by_rows, weights, stride)
    cells = cells.view(-1, CELLS, rows, CELLS, ORIENTATIONS).permute(2, 0, 3, 1, 4).flatten(2)
    return _to_norm_1(_to_norm_1(cells).clamp_(max=CLIP)).numpy()


def _weigh(values, weights, stride):
    """Sum windows of rows, weighted for each cell: (n, m) to (windows, 4, m)."""
    window = weights.shape[1]
    return torch.stack([weights @ values[top : top + window] for top in range(0, len(values) - window + 1, stride)])


def _to_norm_1(vectors):
    norm = vectors.norm(dim=-1, keepdim=True)
    return vectors / torch.where(norm > 0, norm, 1)
