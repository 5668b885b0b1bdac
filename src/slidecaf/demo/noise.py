"""Smooth random fields: where the tissue is, where it is dead, how dense and how thick."""

import math

import numpy as np
from PIL import Image

COARSE = 8  # px of level 0 a pixel of a coarse field: shapes need no more


def generator(seed, name) -> np.random.Generator:
    """Give the random generator of a slide or a patient.

    Parameters
    ----------
    seed : int
        Not negative.
    name : str

    Returns
    -------
    numpy.random.Generator
    """
    return np.random.default_rng([seed, *name.encode()])


def enlarge(field, shape) -> np.ndarray:
    """Resize a field by bicubic interpolation.

    Parameters
    ----------
    field : float32 array (h, w)
    shape : tuple of int
        (height, width).

    Returns
    -------
    float32 array of `shape`
    """
    return np.asarray(Image.fromarray(field).resize(shape[::-1], Image.Resampling.BICUBIC))


def smooth_noise(rng, shape, cell) -> np.ndarray:
    """Draw smooth noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (height, width).
    cell : float
        Size of its features in pixels.

    Returns
    -------
    float32 array of `shape`
        About 0, standard deviation about 0.7.
    """
    grid = [math.ceil(side / cell) + 2 for side in shape]
    return enlarge(rng.standard_normal(grid, dtype=np.float32), shape)


def outline(rng, shape) -> np.ndarray:
    """Draw the outline of the tissue: a piece of irregular shape, white around it.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (height, width) of the field, in coarse pixels.

    Returns
    -------
    float32 array of `shape`
        Depth: positive in tissue, about 1 at its middle, negative outside.
    """
    side = min(shape)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    middle = np.array(shape) * rng.uniform(0.46, 0.54, 2)
    lean = rng.uniform(0, np.pi)
    long, short = side * rng.uniform(0.41, 0.44), side * rng.uniform(0.37, 0.40)
    v, u = y - middle[0], x - middle[1]
    along, across = u * math.cos(lean) + v * math.sin(lean), v * math.cos(lean) - u * math.sin(lean)
    depth = 1 - ((np.abs(along) / long) ** 3 + (np.abs(across) / short) ** 3) ** (1 / 3)
    # A margin of background, as on a real slide: no noise below lifts the border above 0.
    border = np.minimum(np.minimum(y, shape[0] - 1 - y), np.minimum(x, shape[1] - 1 - x)) / side
    depth = np.minimum(depth, 8 * (border - 0.05))
    for share, size in ((0.09, 0.25), (0.05, 0.09), (0.02, 0.03)):
        depth = depth + share * smooth_noise(rng, shape, side * size)
    return depth.astype(np.float32)


def region(rng, depth, share, *, cell, inside=0.12) -> np.ndarray:
    """Draw regions inside the tissue that cover a given share of the field.

    Parameters
    ----------
    rng : numpy.random.Generator
    depth : float32 array (h, w)
        As `outline` gives it.
    share : float
        Of the whole field, 0 to 1, less than the tissue's own.
    cell : float
        Size of the shapes, in coarse pixels.
    inside : float
        No region where the depth is smaller.

    Returns
    -------
    float32 array (h, w)
        Positive in the regions; it falls off smoothly across their outlines.
    """
    field = smooth_noise(rng, depth.shape, cell) + 0.35 * smooth_noise(rng, depth.shape, cell / 3)
    field += 0.1 * smooth_noise(rng, depth.shape, cell / 8)
    field = np.minimum(field + np.minimum(depth, 0.6), 12 * (depth - inside))
    return field - np.float32(np.quantile(field, 1 - share))
