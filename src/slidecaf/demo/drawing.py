"""A drawn slide: synthetic H&E-like tissue of a glioblastoma (GBM) or a lower-grade glioma (LGG).

What tells the classes apart is form: GBM has dense, pleomorphic nuclei, thick-walled vessels, and necrosis with
a palisade of nuclei around it and hemorrhage in it; LGG has sparse, even, round nuclei among fibres, and
microcysts. The grey values of the tissue are distributed alike in both.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from slidecaf.demo.noise import (
    COARSE,
    enlarge,
    generator,
    outline,
    region,
    smooth_noise,
)
from slidecaf.demo.nuclei import Planes, inner
from slidecaf.demo.stain import develop, draw_stain, tone
from slidecaf.demo.study import DemoSlide
from slidecaf.demo.tumours import bleeding, grow

SIDES = (1900, 2300)  # px
IMAGE, AROUND = 224, 448  # px of an image, and of the slide that it is cut from


def draw_slide(slide, *, seed=0, size=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a synthetic slide.

    Parameters
    ----------
    slide : slidecaf.demo.DemoSlide
    seed : int
        Another seed, 0 or more, is another study.
    size : int, optional
        Side of the slide in pixels, at least 400; each side 1900 to 2300 by chance if not given.

    Returns
    -------
    rgb : uint8 array (h, w, 3)
    necrosis, hemorrhage : bool array (h, w)
    """
    rng = generator(seed, slide.slide)
    stain = draw_stain(generator(seed, slide.patient), rng)
    height, width = (size, size) if size else rng.integers(SIDES[0], SIDES[1] + 1, 2).tolist()
    coarse = (-(-height // COARSE), -(-width // COARSE))
    full = (coarse[0] * COARSE, coarse[1] * COARSE)
    depth = outline(rng, coarse)
    dead = np.full_like(depth, -1)
    if slide.necrosis:
        dead = region(rng, depth, slide.necrosis, cell=min(coarse) / 5)
    bled = bleeding(rng, slide.label, depth, dead)
    planes = Planes(full)
    grow(rng, planes, slide.label, depth, dead, bled)
    depth, dead, bled = (enlarge(field, full) for field in (depth, dead, bled))
    dyes, inside = _dye(rng, stain, planes, depth, dead, bled)
    rgb = develop(rng, stain, dyes)
    tone(rgb, inside, stain)
    cut = (slice(height), slice(width))
    return rgb[cut], dead[cut] > 0, bled[cut] > 0


def draw_image(image, *, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Draw a synthetic image: what a small slide has in its middle, or where it has most necrosis.

    Parameters
    ----------
    image : slidecaf.demo.DemoImage
        Its label is GBM or LGG, cut where there is no necrosis, or necrosis, of a GBM.
    seed : int
        As for `draw_slide`.

    Returns
    -------
    rgb : uint8 array (224, 224, 3)
    necrosis : bool array (224, 224)
    """
    dead = image.label == "necrosis"
    slide = DemoSlide(
        image.image, "GBM" if dead else image.label, image.patient, image.split, necrosis=0.25 if dead else 0
    )
    rgb, necrosis, _ = draw_slide(slide, seed=seed, size=AROUND)
    top = left = (AROUND - IMAGE) // 2
    if dead:
        windows = sliding_window_view(necrosis[::COARSE, ::COARSE], (IMAGE // COARSE, IMAGE // COARSE))
        share = windows.mean(axis=(2, 3))
        top, left = (COARSE * int(place) for place in np.unravel_index(share.argmax(), share.shape))
    cut = slice(top, top + IMAGE), slice(left, left + IMAGE)
    return rgb[cut], necrosis[cut]


def _dye(rng, stain, planes, depth, dead, bled):
    """Turn what was drawn into amounts of hematoxylin, eosin and blood; say where tissue is."""
    shape = depth.shape
    dead, bled = np.clip(8 * dead + 0.5, 0, 1), np.clip(8 * bled + 0.5, 0, 1)
    tissue = np.clip(40 * depth + 0.5 + 0.5 * smooth_noise(rng, shape, 9), 0, 1)
    blood = np.clip(inner(planes.blood) + 0.25 * bled, 0, 1.1) * tissue
    tissue *= 1 - 0.85 * inner(planes.holes)
    inside = tissue > 0.5
    crumbs = 0.28 * smooth_noise(rng, shape, 7) + 0.12 * smooth_noise(rng, shape, 3)
    strands = np.clip(0.5 * inner(planes.fibres) + 0.14 * _grain(rng, shape) - 0.2, -0.8, None)
    fabric = 1 + strands + dead * (crumbs - strands)
    fabric *= tissue * (1 + 0.15 * smooth_noise(rng, shape, 150))
    nuclei = inner(planes.nuclei) * tissue * (1 - 0.8 * bled)
    hematoxylin = fabric * (1 - 0.65 * dead)
    _scale(hematoxylin, stain.hematoxylin, nuclei * np.float32(stain.nuclei), inside)
    hematoxylin += nuclei * np.float32(stain.nuclei)
    eosin = fabric * (1 + 0.5 * inner(planes.walls) - 0.15 * dead) * (1 - 0.4 * np.clip(nuclei, 0, 1))
    _scale(eosin, stain.eosin, blood, inside)
    return (hematoxylin, eosin, blood), inside


def _scale(ground, mean, solid, inside):
    """Scale the ground's dye, in place, so that with the solid things' dye the tissue has its mean."""
    few = (slice(None, None, 7),) * 2
    left = max(mean - float(solid[few][inside[few]].mean()), 0.3 * mean)
    ground *= np.float32(left / float(ground[few][inside[few]].mean()))


def _grain(rng, shape):
    """Draw noise of single pixels, slightly smeared."""
    noise = rng.standard_normal((shape[0] + 1, shape[1] + 1), dtype=np.float32)
    rows = noise[1:] + 0.6 * noise[:-1]
    return (rows[:, 1:] + 0.6 * rows[:, :-1]) / 1.36
