"""Vessels: thin ones in both classes; thick-walled ones, in groups, in GBM (microvascular proliferation)."""

import math

import numpy as np

from slidecaf.demo.noise import COARSE
from slidecaf.demo.nuclei import blob, imprint, pick, scatter, value_at


def capillaries(rng, planes, spindles, free) -> None:
    """Draw vessels of one layer, scattered.

    Parameters
    ----------
    rng : numpy.random.Generator
    planes : Planes
    spindles : list of list of array
        Elongated nuclei, an oriented library.
    free : bool array (h, w)
        Coarse field: where a vessel may lie.
    """
    for middle in scatter(rng, 0.5 * free, 210, jitter=0.45):
        _vessel(rng, planes, spindles, middle, lumen=rng.uniform(4, 7), layers=1)


def proliferating_vessels(rng, planes, spindles, free) -> None:
    """Draw groups of vessels with walls of several layers of nuclei.

    Parameters
    ----------
    rng, planes, spindles, free
        As in `capillaries`.
    """
    limit = np.array(free.shape) * COARSE
    for group in scatter(rng, 0.35 * free, 330, jitter=0.45):
        middles = np.clip(group + rng.normal(0, 42, (rng.integers(2, 6), 2)), 0, limit - 1).astype(int)
        for middle in middles[value_at(free, middles)]:
            _vessel(rng, planes, spindles, middle, lumen=rng.uniform(7, 20), layers=rng.integers(2, 5))


def _vessel(rng, planes, spindles, middle, *, lumen, layers):
    """Draw a vessel cut across: lumen, wall, rings of nuclei along the wall, often blood inside."""
    stretch, angle = rng.uniform(1, 1.9), rng.uniform(0, np.pi)
    shape = {"stretch": stretch, "angle": angle, "rough": 0.07}
    point = middle[None]
    imprint(planes.walls, [blob(rng, lumen + 8 * layers, soft=4, **shape)], point)
    imprint(planes.holes, [blob(rng, lumen, **shape)], point)
    if rng.random() < 0.6:
        imprint(planes.blood, [blob(rng, 0.85 * lumen, mottle=0.15, soft=3, **shape)], point)
    for layer in range(layers):
        radius = lumen + 4 + 8 * layer + rng.normal(0, 1.5)
        turn = np.arange(0, 2 * np.pi, (22 if layers == 1 else 13) / radius)
        turn += rng.normal(0, 0.12, len(turn)) + rng.uniform(0, 1)
        long, short = radius * math.sqrt(stretch), radius / math.sqrt(stretch)
        along, across = long * np.cos(turn), short * np.sin(turn)
        rows = along * math.sin(angle) + across * math.cos(angle)
        columns = along * math.cos(angle) - across * math.sin(angle)
        tangent = angle + np.arctan2(short * np.cos(turn), -long * np.sin(turn))
        points = np.rint(middle + np.stack((rows, columns), 1)).astype(int)
        imprint(planes.nuclei, pick(rng, spindles, tangent), points)
