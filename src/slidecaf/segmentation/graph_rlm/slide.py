"""One slide's regions: from pixels to circles, their texture, and regions of like circles."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage

from slidecaf.errors import SlidecafError
from slidecaf.segmentation.graph_rlm.graph import delaunay_edges, edge_types
from slidecaf.segmentation.graph_rlm.primitives import fit_circles, stain_masks
from slidecaf.segmentation.graph_rlm.regions import find_seeds, grow, merge, standardised
from slidecaf.segmentation.graph_rlm.run_lengths import (
    over_windows,
    run_length_matrices,
    texture_features,
    type_shares,
    window,
)
from slidecaf.segmentation.graph_rlm.stains import SAMPLE, quantise, stain_centres

CELL = 8
"""Px of the side of the squares on which regions are kept."""

MOST_PIXELS = 100_000_000
"""Of a slide: all of its pixels are in memory at once, some 40 bytes each."""

WHITE = 200
"""A slide whose every pixel has R, G and B above it has no tissue: the paper's white rule (section 3.2)."""

STRIP = 512
"""Rows that are read, or quantised, at once."""


@dataclass(frozen=True, eq=False)
class Regions:
    """A slide's circles and regions.

    Attributes
    ----------
    circles : ndarray of int64, shape (n, 4)
        x, y, radius (px of level 0) and stain (0 nuclei, 1 stroma, 2 lumen).
    features : ndarray of float64, shape (n, 10)
        The texture around each circle: four features of its run-length matrix, and the share of each edge type.
    owner : ndarray of int64, shape (rows, columns)
        The circle of each cell, a square of `CELL` px: the one that it lies in, or else the nearest.
    regions : dict of (int, float) to ndarray of int64, shape (n,)
        ``comp_thr`` and ``dist_thr`` to the region of each circle, from 0.
    """

    circles: np.ndarray
    features: np.ndarray
    owner: np.ndarray
    regions: dict


def check_size(width, height, *, where) -> None:
    """Refuse slides that are too large to be taken as a whole.

    Parameters
    ----------
    width, height : int
        In px of level 0.
    where : str
        The slide and its file, for the error.

    Raises
    ------
    SlidecafError
        If they are more than `MOST_PIXELS`.
    """
    if width * height > MOST_PIXELS:
        raise SlidecafError(
            f"{where} has {width} x {height} px, more than the {MOST_PIXELS / 1e6:g} megapixels that kind: graph-rlm "
            "takes as a whole; cut sections out of it, or leave the method out."
        )


def read_pixels(slide) -> np.ndarray:
    """Read all pixels of a slide.

    Parameters
    ----------
    slide : slidecaf.slides.Slide

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    SlidecafError
        If they are too many.
    SlideError
        If they cannot be read.
    """
    check_size(slide.width, slide.height, where=f"slide {slide.name}: {slide.path}")
    pixels = np.empty((slide.height, slide.width, 3), np.uint8)
    for top in range(0, slide.height, STRIP):
        strip = pixels[top : top + STRIP]
        strip[:] = slide.read(0, top, slide.width, len(strip))
    return pixels


def is_white(pixels) -> bool:
    """Tell whether every pixel has R, G and B above `WHITE`.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)

    Returns
    -------
    bool
    """
    return bool(pixels.min() > WHITE)


def find_regions(
    pixels, *, r_min: int, r_strel: int, win_size: int, dist_thr: Sequence[float], comp_thr: Sequence[int]
) -> Regions:
    """Segment an image into regions of like texture; no label is looked at.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
    r_min, r_strel : int
        The smallest radius of a circle, and that of the disc which closes and opens specks, in px.
    win_size : int
        The side of the window around a circle, in px.
    dist_thr : sequence of float
        Distances of standardised features from which circles, and regions, are told apart.
    comp_thr : sequence of int
        Circles that make a seed.

    Returns
    -------
    Regions
        For each pair of the last two. Without circles where none fits.
    """
    flat = pixels.reshape(-1, 3)
    centres = stain_centres(flat[:: max(1, len(flat) // SAMPLE)])
    stains = np.concatenate(
        [quantise(pixels[top : top + STRIP], centres) for top in range(0, len(pixels), STRIP)], axis=0
    )
    fitted = [fit_circles(mask, r_min) for mask in stain_masks(stains, r_strel)]
    stain_of = np.repeat(np.arange(len(fitted)), [len(circles) for circles in fitted])
    circles = np.column_stack([np.concatenate(fitted), stain_of])
    points = circles[:, :2]
    edges, near = delaunay_edges(points), window(points, win_size)
    matrices = over_windows(run_length_matrices(edges, edge_types(edges, stain_of), near), near)
    features = np.hstack([texture_features(matrices), type_shares(matrices)])
    scaled, regions = standardised(features), {}
    for circles_of_seed, distance in product(comp_thr, dist_thr) if len(circles) else ():
        seeds = find_seeds(scaled, edges, dist_thr=distance, comp_thr=circles_of_seed)
        grown = grow(seeds, scaled, edges)
        regions[circles_of_seed, distance] = merge(grown, scaled, edges, dist_thr=distance)
    return Regions(circles, features, owners(circles, pixels.shape[:2]), regions)


def owners(circles, size) -> np.ndarray:
    """Return the circle of each cell: the one in which its middle lies, or else that of the nearest such cell.

    Parameters
    ----------
    circles : ndarray of int64, shape (n, 3 or more)
        x, y and radius, inside the image.
    size : (int, int)
        Height and width of the image in px.

    Returns
    -------
    ndarray of int64, shape (ceil(height / `CELL`), ceil(width / `CELL`))
        -1 where there is no circle at all.
    """
    owner = np.full([-(-side // CELL) for side in size], -1)
    middles = [np.arange(count) * CELL + (CELL - 1) / 2 for count in owner.shape]
    for number, (x, y, radius) in enumerate(circles[:, :3].tolist()):
        rows, columns = (slice(max(0, (at - radius) // CELL), (at + radius) // CELL + 1) for at in (y, x))
        away = (middles[0][rows, None] - y) ** 2 + (middles[1][columns] - x) ** 2
        owner[rows, columns][away <= radius**2] = number
    owner[circles[:, 1] // CELL, circles[:, 0] // CELL] = np.arange(len(circles))  # however small a circle is
    if len(circles):
        owner = owner[tuple(ndimage.distance_transform_edt(owner < 0, return_distances=False, return_indices=True))]
    return owner
