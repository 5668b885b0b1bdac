"""What grows in a slide: the nuclei, necrosis and cysts of GBM and LGG, and the fibres and blood of both."""

import math

import numpy as np

from slidecaf.demo.noise import region, smooth_noise
from slidecaf.demo.nuclei import (
    MARGIN,
    blob,
    fibre,
    imprint,
    oriented,
    pick,
    sample,
    scatter,
    value_at,
)
from slidecaf.demo.vessels import capillaries, proliferating_vessels


def grow(rng, planes, label, depth, dead, bled) -> None:
    """Draw the cells of a slide.

    Parameters
    ----------
    rng : numpy.random.Generator
    planes : Planes
        Drawn on.
    label : {"GBM", "LGG"}
    depth, dead, bled : float32 array (h, w)
        Coarse fields: positive in tissue, in necrosis, where blood lies free.
    """
    spindles = oriented(lambda angle: [_spindle(rng, angle) for _ in range(5)])
    alive = (depth > 0) & (dead < 0)
    deep = alive & (depth > 0.07)
    if label == "GBM":
        proliferating_vessels(rng, planes, spindles, deep)
        _dense_nuclei(rng, planes, alive & (bled < 0))
        if (dead > 0).any():
            _necrosis(rng, planes, spindles, alive, dead)
    else:
        _microcysts(rng, planes, deep)
        _even_nuclei(rng, planes, alive & (bled < 0))
    capillaries(rng, planes, spindles, deep)
    _fibres(rng, planes, alive)
    _red_cells(rng, planes, bled > 0)


def bleeding(rng, label, depth, dead) -> np.ndarray:
    """Choose where blood lies free: in a part of the necrosis, and a little at the cut edge of any tumour.

    Parameters
    ----------
    rng : numpy.random.Generator
    label : {"GBM", "LGG"}
    depth, dead : float32 array (h, w)
        Coarse fields: positive in tissue, in necrosis.

    Returns
    -------
    float32 array (h, w)
        Positive there.
    """
    cell = min(depth.shape) / 9
    bled = region(rng, np.minimum(depth, 0.35 - depth), rng.uniform(0.002, 0.004), cell=cell, inside=0.03)
    if label == "GBM" and (dead > 0).any():
        share = rng.uniform(0.2, 0.32) * float((dead > 0).mean())
        bled = np.maximum(bled, region(rng, dead, share, cell=cell))
    return bled


def _spindle(rng, angle):
    """Draw an elongated nucleus, of vessel walls and palisades."""
    stretch = rng.uniform(1.8, 3.2)
    return blob(rng, rng.uniform(4.5, 7.5), stretch=stretch, angle=angle, rough=0.06, mottle=0.2)


def _pleomorphic(rng):
    """Draw a nucleus of GBM: of any size, shape and depth of stain."""
    radius = float(np.clip(rng.lognormal(math.log(7.3), 0.33), 4, 17))
    shape = {"stretch": 1 + rng.gamma(2, 0.35), "angle": rng.uniform(0, np.pi), "rough": rng.uniform(0.04, 0.2)}
    return blob(rng, radius, mottle=0.22, pale=rng.uniform(0, 0.35), **shape) * np.float32(rng.uniform(0.75, 1.25))


def _round(rng):
    """Draw a nucleus of LGG: round, all of one size."""
    shape = {"stretch": rng.uniform(1, 1.25), "angle": rng.uniform(0, np.pi), "rough": 0.03}
    return blob(rng, rng.normal(7, 0.5), mottle=0.15, pale=rng.uniform(0.1, 0.35), **shape)


def _dense_nuclei(rng, planes, place):
    crowd = np.clip(0.3 + 0.22 * smooth_noise(rng, place.shape, 30), 0.08, 0.7) * place
    points = scatter(rng, crowd, 14, jitter=0.5)
    imprint(planes.nuclei, sample(rng, [_pleomorphic(rng) for _ in range(160)], points), points)


def _necrosis(rng, planes, spindles, alive, dead):
    """Draw a palisade of nuclei that point at the necrosis; ghosts of nuclei and their dust inside."""
    from scipy.ndimage import distance_transform_edt

    away = distance_transform_edt(dead < 0)
    points = scatter(rng, 0.6 * alive * np.exp(-(((away - 5) / 3.5) ** 2)), 12, jitter=0.45)
    down, across = np.gradient(away)
    angles = np.arctan2(value_at(down, points), value_at(across, points)) + rng.normal(0, 0.35, len(points))
    imprint(planes.nuclei, pick(rng, spindles, angles), points)
    ghosts = [blob(rng, rng.uniform(5, 8), rough=0.1, mottle=0.3) * np.float32(0.3) for _ in range(20)]
    dust = [blob(rng, rng.uniform(1.2, 3.4), stretch=rng.uniform(1, 1.6)) for _ in range(20)]
    for kernels, chance, spacing in ((ghosts, 0.12, 24), (dust, 0.1, 18)):
        points = scatter(rng, chance * (dead > 0), spacing, jitter=0.5)
        imprint(planes.nuclei, sample(rng, kernels, points), points)


def _even_nuclei(rng, planes, place):
    """Draw nuclei far apart, some in a clear halo."""
    chance = np.clip(0.8 + 0.25 * smooth_noise(rng, place.shape, 40), 0.3, 1) * place
    points = scatter(rng, chance, 37, jitter=0.36)
    points = points[planes.holes[tuple((points + MARGIN).T)] < 0.2]
    imprint(planes.nuclei, sample(rng, [_round(rng) for _ in range(60)], points), points)
    halo = blob(rng, 13, soft=5)
    reach = len(halo) // 2
    nucleus = blob(rng, 6.5, soft=3)
    middle = slice(reach - len(nucleus) // 2, reach + len(nucleus) // 2 + 1)
    halo[middle, middle] -= nucleus
    clear = points[rng.random(len(points)) < 0.35]
    imprint(planes.holes, [halo * np.float32(0.45)] * len(clear), clear)


def _microcysts(rng, planes, place):
    cysts = [blob(rng, rng.uniform(7, 24), rough=0.14, soft=3) * np.float32(0.75) for _ in range(30)]
    points = scatter(rng, np.clip(smooth_noise(rng, place.shape, 35) - 0.5, 0, 0.5) * place, 44, jitter=0.4)
    imprint(planes.holes, sample(rng, cysts, points), points)


def _fibres(rng, planes, place):
    """Draw the fibres of the neuropil; their direction changes slowly."""

    def draw(angle):
        return fibre(rng.uniform(26, 60), angle, rng.uniform(-6, 6)) * np.float32(rng.uniform(0.5, 1))

    points = scatter(rng, 0.8 * place, 15, jitter=0.5)
    angles = value_at(3 * smooth_noise(rng, place.shape, 45), points) + rng.normal(0, 0.3, len(points))
    library = oriented(lambda angle: [draw(angle) for _ in range(4)])
    imprint(planes.fibres, pick(rng, library, angles), points, combine=np.add)


def _red_cells(rng, planes, place):
    def draw():
        shape = {"stretch": rng.uniform(1, 1.4), "angle": rng.uniform(0, np.pi), "rough": 0.05}
        return blob(rng, rng.normal(5.3, 0.4), pale=0.25, **shape) * np.float32(rng.uniform(0.7, 1))

    points = scatter(rng, 0.85 * place, 10, jitter=0.4)
    imprint(planes.blood, sample(rng, [draw() for _ in range(40)], points), points)
