"""Nuclei, fibres and red cells: small pictures drawn once and stamped many times."""

import math

import numpy as np

from slidecaf.demo.noise import COARSE, smooth_noise

MARGIN = 96  # px around a plane, so that no stamp need be cut at its border
ANGLES = 16  # directions, of half a turn, in a library of oriented kernels


class Planes:
    """What is drawn on a slide, one float32 plane a kind, each with a margin.

    Attributes
    ----------
    nuclei, blood : amounts, about 1 in a nucleus or a red cell
    fibres : strength of the fabric's fibres, 0 and more
    walls : 1 in the walls of vessels
    holes : share of the tissue that is missing, 0 to 1

    Parameters
    ----------
    shape : tuple of int
        (height, width) without the margin.
    """

    def __init__(self, shape):
        sides = [side + 2 * MARGIN for side in shape]
        for kind in ("nuclei", "blood", "fibres", "walls", "holes"):
            setattr(self, kind, np.zeros(sides, np.float32))


def inner(plane) -> np.ndarray:
    """Give a plane without its margin, as a view."""
    return plane[MARGIN:-MARGIN, MARGIN:-MARGIN]


def blob(rng, radius, *, stretch=1.0, angle=0.0, rough=0.0, mottle=0.0, pale=0.0, soft=1.5) -> np.ndarray:
    """Draw a soft-edged ellipse of irregular outline: a nucleus, a red cell, a hole.

    Parameters
    ----------
    rng : numpy.random.Generator
    radius : float
        Of the disc of equal area, in pixels.
    stretch : float
        Long axis over short axis.
    angle : float
        Of the long axis, radians from x towards y.
    rough : float
        Depth of the outline's waves, as a share of the radius.
    mottle : float
        Strength of the clumps inside.
    pale : float
        How much paler the middle is than the rim, 0 to 1.
    soft : float
        Width of the edge in pixels.

    Returns
    -------
    float32 array (2 r + 1, 2 r + 1)
        About 1 inside, 0 outside.
    """
    long, short = radius * math.sqrt(stretch), radius / math.sqrt(stretch)
    reach = min(math.ceil(long * (1 + 2 * rough) + soft), MARGIN)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along = (x * math.cos(angle) + y * math.sin(angle)) / long
    across = (y * math.cos(angle) - x * math.sin(angle)) / short
    distance = np.hypot(along, across)
    if rough:
        turn = np.arctan2(across, along)
        for waves in (2, 3, 5):
            phase, depth = rng.uniform(0, 2 * np.pi), rng.normal(0, rough / math.sqrt(waves))
            distance = distance * (1 + np.float32(depth) * np.cos(waves * turn + phase))
    body = np.clip((1 - distance) * short / soft + 0.5, 0, 1)
    if pale:
        body *= 1 - pale * np.clip(1.1 - distance**2, 0, 1)
    if mottle:
        body *= 1 + mottle * smooth_noise(rng, body.shape, 2.6)
    return body.astype(np.float32)


def fibre(length, angle, bend, *, width=1.1) -> np.ndarray:
    """Draw a thin bent line.

    Parameters
    ----------
    length : float
        Pixels.
    angle : float
        Radians from x towards y.
    bend : float
        How far its ends lie off the straight line, in pixels.
    width : float
        Pixels.

    Returns
    -------
    float32 array (2 r + 1, 2 r + 1)
    """
    reach = math.ceil(length / 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along = (x * math.cos(angle) + y * math.sin(angle)) / (length / 2)
    across = y * math.cos(angle) - x * math.sin(angle) - bend * along**2
    return (np.exp(-((across / width) ** 2)) * np.clip(1 - along**2, 0, 1)).astype(np.float32)


def oriented(draw) -> list:
    """Draw a library of kernels, several for each direction.

    Parameters
    ----------
    draw : callable
        Takes an angle in radians, gives a list of kernels, as many for every angle.

    Returns
    -------
    list of list of array
        By direction, `ANGLES` of them.
    """
    return [draw(math.pi * direction / ANGLES) for direction in range(ANGLES)]


def sample(rng, kernels, points) -> list:
    """Choose a kernel for each point by chance.

    Parameters
    ----------
    rng : numpy.random.Generator
    kernels : list of array
    points : array (n, 2)

    Returns
    -------
    list of array
        n of them.
    """
    return [kernels[k] for k in rng.integers(0, len(kernels), len(points)).tolist()]


def pick(rng, library, angles) -> list:
    """Choose a kernel for each angle from an oriented library.

    Parameters
    ----------
    rng : numpy.random.Generator
    library : list of list of array
        As `oriented` gives it.
    angles : float array (n,)
        Radians.

    Returns
    -------
    list of array
    """
    directions = np.rint(np.asarray(angles) * (ANGLES / np.pi)).astype(int) % ANGLES
    kinds = rng.integers(0, len(library[0]), len(directions))
    return [library[d][k] for d, k in zip(directions.tolist(), kinds.tolist(), strict=True)]


def imprint(plane, kernels, points, *, combine=np.maximum) -> None:
    """Lay kernels on a plane, in place.

    Parameters
    ----------
    plane : float32 array
        One of `Planes`.
    kernels : sequence of array (2 r + 1, 2 r + 1)
        One a point, r at most `MARGIN`.
    points : int array (n, 2)
        Rows and columns of their middles at level 0; off the slide by `MARGIN` - r at most.
    combine : numpy.ufunc
        ``numpy.maximum`` for solid things, ``numpy.add`` for transparent ones.
    """
    for kernel, (row, column) in zip(kernels, (points + MARGIN).tolist(), strict=True):
        reach = len(kernel) // 2
        spot = plane[row - reach : row + reach + 1, column - reach : column + reach + 1]
        combine(spot, kernel, out=spot)


def scatter(rng, chance, spacing, *, jitter=0.35) -> np.ndarray:
    """Scatter points that keep some distance, more of them where the chance is higher.

    Parameters
    ----------
    rng : numpy.random.Generator
    chance : float array (h, w)
        Coarse field: probability that a place of the grid is taken.
    spacing : float
        Of the hexagonal grid, in pixels of level 0.
    jitter : float
        How far a point strays from its place, in spacings; large values let points touch.

    Returns
    -------
    int array (n, 2)
        Rows and columns at level 0.
    """
    limit = np.array(chance.shape) * COARSE
    rows = np.arange(spacing / 2, limit[0], spacing * math.sqrt(0.75))
    columns = np.arange(spacing / 2, limit[1], spacing)
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)
    places[1::2, :, 1] += spacing / 2
    places = places.reshape(-1, 2) + rng.uniform(-jitter * spacing, jitter * spacing, (places.size // 2, 2))
    points = np.clip(places, 0, limit - 1).astype(int)
    taken = rng.random(len(points)) < value_at(chance, points)
    return points[taken]


def value_at(field, points) -> np.ndarray:
    """Look a coarse field up at points of level 0.

    Parameters
    ----------
    field : array (h, w)
    points : int array (n, 2)
        Rows and columns at level 0.

    Returns
    -------
    array (n,)
    """
    return field[points[:, 0] // COARSE, points[:, 1] // COARSE]
