"""A drawn slide: synthetic H&E-like tissue of a glioblastoma (GBM) or a lower-grade glioma (LGG).

What tells the classes apart is form: GBM has dense, pleomorphic, dark nuclei, thick-walled vessels, and
necrosis with a palisade of nuclei around it and hemorrhage in it; LGG has sparse, even, round nuclei among
fibres, and microcysts. The stain is drawn alike for both and sets the mean amounts of dye in the tissue, so
that colour alone does not tell them apart.
"""

import math
from types import SimpleNamespace

import numpy as np

from slidecaf.demo.cells import blank, blob, fibre, inner, oriented, pick, scatter, stamp, value_at
from slidecaf.demo.fields import COARSE, enlarge, generator, outline, region, smooth
from slidecaf.demo.stain import develop, draw_stain, tone

SIDES = (1900, 2300)  # px: the range of a slide's sides


def draw_slide(slide, *, seed=0, size=None):
    """Draw a synthetic slide.

    Parameters
    ----------
    slide : slidecaf.demo.Slide
    seed : int
        Another seed is another study.
    size : int, optional
        Side of the slide in pixels, at least 400; 1900 to 2300 by chance if not given.

    Returns
    -------
    rgb : uint8 array (h, w, 3)
    necrosis, hemorrhage : bool array (h, w)
    """
    rng = generator(seed, slide.slide)
    stain = draw_stain(generator(seed, slide.patient), rng)
    height, width = (size, size) if size else rng.integers(SIDES[0], SIDES[1] + 1, 2).tolist()
    coarse = (-(-height // COARSE), -(-width // COARSE))
    depth = outline(rng, coarse)
    dead = region(rng, depth, slide.necrosis, cell=min(coarse) / 5) if slide.necrosis else np.full_like(depth, -1)
    bled = _bleeding(rng, depth, dead, slide.label)
    full = (coarse[0] * COARSE, coarse[1] * COARSE)
    planes = SimpleNamespace(
        nuclei=blank(full), blood=blank(full), fibres=blank(full), walls=blank(full), holes=blank(full)
    )
    library = _spindles(rng)
    free = (depth > 0) & (dead < 0)
    if slide.label == "GBM":
        _proliferating_vessels(rng, planes, library, free & (depth > 0.1))
        _dense_nuclei(rng, planes, library, depth, dead, bled)
    else:
        _even_nuclei(rng, planes, depth, bled)
        _microcysts(rng, planes, depth)
    _capillaries(rng, planes, library, free & (depth > 0.05))
    _fibres(rng, planes, free)
    _red_cells(rng, planes, bled)
    dyes = _mix(rng, stain, planes, *(enlarge(field, full) for field in (depth, dead, bled)))
    cut = (slice(height), slice(width))
    *dyes,inside=dyes
    rgb = develop(rng, stain, [dye[cut] for dye in dyes])
    tone(rgb,inside[cut],stain)
    return rgb, enlarge(dead, full)[cut] > 0, enlarge(bled, full)[cut] > 0


def _bleeding(rng, depth, dead, label):
    """Where blood lies free: in part of the necrosis, and at the cut edge of any tumour."""
    edge = np.minimum(depth, 0.35 - depth)
    bled = region(rng, edge, rng.uniform(0.002, 0.004), cell=min(depth.shape) / 9, inside=0.03)
    if label == "GBM" and (dead > 0).any():
        inside = region(rng, dead, rng.uniform(0.25, 0.35) * (dead > 0).mean(), cell=min(depth.shape) / 9, inside=0.1)
        bled = np.maximum(bled, inside)
    return bled


def _spindles(rng):
    """Elongated nuclei by direction: of vessel walls and palisades."""

    def draw(angle):
        return [
            blob(rng, rng.uniform(4.5, 7.5), stretch=rng.uniform(1.8, 3.2), angle=angle, rough=0.06, mottle=0.2)
            for _ in range(5)
        ]

    return oriented(draw)


def _dense_nuclei(rng, planes, spindles, depth, dead, bled):
    """GBM: crowded nuclei of every size and shape, palisades around necrosis, ghosts and dust in it."""
    from scipy.ndimage import distance_transform_edt

    alive = (depth > 0) & (dead < 0)
    pleomorphic = [
        blob(
            rng,
            float(np.clip(rng.lognormal(math.log(7.3), 0.33), 4, 17)),
            stretch=1 + rng.gamma(2, 0.35),
            angle=rng.uniform(0, np.pi),
            rough=rng.uniform(0.04, 0.2),
            mottle=0.25,
            pale=rng.uniform(0, 0.35),
        )
        * rng.uniform(0.75, 1.25)
        for _ in range(160)
    ]
    crowd = np.clip(0.30 + 0.22 * smooth(rng, depth.shape, 30), 0.08, 0.7) * alive * np.where(bled > 0, 0.3, 1)
    points = scatter(rng, crowd, 14, jitter=0.5)
    stamp(planes.nuclei, [pleomorphic[k] for k in rng.integers(0, len(pleomorphic), len(points))], points)
    if not (dead > 0).any():
        return
    away = distance_transform_edt(dead < 0)
    points = scatter(rng, 0.6 * alive * np.exp(-(((away - 5) / 3.5) ** 2)), 12, jitter=0.45)
    down, across = np.gradient(away)
    turned = np.arctan2(value_at(down, points), value_at(across, points)) + rng.normal(0, 0.35, len(points))
    stamp(planes.nuclei, pick(rng, spindles, turned), points)
    ghosts = [blob(rng, rng.uniform(5, 8), rough=0.1, mottle=0.3) * np.float32(0.3) for _ in range(20)]
    dust = [blob(rng, rng.uniform(1.2, 3.4), stretch=rng.uniform(1, 1.6)) for _ in range(20)]
    for kernels, chance, spacing in ((ghosts, 0.12, 24), (dust, 0.1, 18)):
        points = scatter(rng, chance * (dead > 0), spacing, jitter=0.5)
        stamp(planes.nuclei, [kernels[k] for k in rng.integers(0, len(kernels), len(points))], points)


def _even_nuclei(rng, planes, depth, bled):
    """LGG: round nuclei of one size, far apart, some in a clear halo."""
    round_nuclei = [
        blob(
            rng,
            rng.normal(7.0, 0.5),
            stretch=rng.uniform(1, 1.25),
            angle=rng.uniform(0, np.pi),
            rough=0.03,
            mottle=0.12,
            pale=rng.uniform(0.1, 0.35),
        )
        for _ in range(60)
    ]
    halo = blob(rng, 13, soft=5) * np.float32(0.45)
    chance = np.clip(0.8 + 0.25 * smooth(rng, depth.shape, 40), 0.3, 1) * (depth > 0) * np.where(bled > 0, 0.3, 1)
    points = scatter(rng, chance, 37, jitter=0.36)
    stamp(planes.nuclei, [round_nuclei[k] for k in rng.integers(0, len(round_nuclei), len(points))], points)
    clear = points[rng.random(len(points)) < 0.35]
    stamp(planes.holes, [halo] * len(clear), clear)


def _microcysts(rng, planes, depth):
    """LGG: small clear spaces, in patches of the tissue."""
    cysts = [blob(rng, rng.uniform(7, 24), rough=0.14, soft=3) * np.float32(0.75) for _ in range(30)]
    patches = np.clip(smooth(rng, depth.shape, 35) - 0.5, 0, 0.5) * (depth > 0.08)
    points = scatter(rng, patches, 44, jitter=0.4)
    stamp(planes.holes, [cysts[k] for k in rng.integers(0, len(cysts), len(points))], points)


def _proliferating_vessels(rng, planes, spindles, free):
    """GBM: groups of thick-walled vessels, their nuclei in rings around a lumen."""
    for group in scatter(rng, 0.35 * free, 330, jitter=0.45):
        for _ in range(rng.integers(2, 6)):
            middle = group + rng.normal(0, 42, 2)
            _vessel(rng, planes, spindles, free, middle, lumen=rng.uniform(7, 20), layers=rng.integers(2, 5))


def _capillaries(rng, planes, spindles, free):
    """Both classes: thin vessels of one layer."""
    for middle in scatter(rng, 0.5 * free, 210, jitter=0.45):
        _vessel(rng, planes, spindles, free, middle, lumen=rng.uniform(4, 7), layers=1)


def _vessel(rng, planes, spindles, free, middle, *, lumen, layers):
    """One vessel cut across: lumen, wall, nuclei along the wall, now and then red cells."""
    middle = np.rint(middle).astype(int)
    limit = np.array(free.shape) * COARSE
    if not ((middle >= 0) & (middle < limit)).all() or not value_at(free, middle[None])[0]:
        return
    stretch, angle = rng.uniform(1, 1.9), rng.uniform(0, np.pi)
    shape = {"stretch": stretch, "angle": angle, "rough": 0.07}
    thickness = 4 + 8 * layers if layers > 1 else 4
    stamp(planes.walls, [blob(rng, lumen + thickness, soft=4, **shape)], middle[None])
    stamp(planes.holes, [blob(rng, lumen, **shape)], middle[None])
    if rng.random() < 0.6:
        stamp(planes.blood, [blob(rng, lumen * 0.85, mottle=0.15, soft=3, **shape)], middle[None])
    for layer in range(layers):
        radius = lumen + 4 + 8 * layer + rng.normal(0, 1.5)
        turn = np.arange(0, 2 * np.pi, (13 if layers > 1 else 22) / radius)
        turn = turn + rng.normal(0, 0.12, len(turn)) + rng.uniform(0, 1)
        along, across = radius * math.sqrt(stretch) * np.cos(turn), radius / math.sqrt(stretch) * np.sin(turn)
        points = np.stack(
            (along * math.sin(angle) + across * math.cos(angle), along * math.cos(angle) - across * math.sin(angle)), 1
        )
        tangent = angle + np.arctan2(np.cos(turn) / math.sqrt(stretch), -np.sin(turn) * math.sqrt(stretch))
        points = np.rint(middle + points).astype(int)
        kept = ((points >= 0) & (points < limit)).all(1)
        stamp(planes.nuclei, pick(rng, spindles, tangent[kept]), points[kept])


def _fibres(rng, planes, free):
    """Both classes: the fibres of the neuropil, their direction changing slowly."""

    def draw(angle):
        return [
            fibre(rng.uniform(26, 60), angle, rng.uniform(-6, 6)) * np.float32(rng.uniform(0.5, 1)) for _ in range(4)
        ]

    points = scatter(rng, 0.8 * free, 15, jitter=0.5)
    flow = 3 * smooth(rng, free.shape, 45)
    angles = value_at(flow, points) + rng.normal(0, 0.3, len(points))
    stamp(planes.fibres, pick(rng, oriented(draw), angles), points, combine=np.add)


def _red_cells(rng, planes, bled):
    """Both classes: crowds of red cells where blood lies free."""
    cells = [
        blob(rng, rng.normal(5.3, 0.4), stretch=rng.uniform(1, 1.4), angle=rng.uniform(0, np.pi), rough=0.05, pale=0.25)
        * np.float32(rng.uniform(0.7, 1))
        for _ in range(40)
    ]
    points = scatter(rng, 0.85 * (bled > 0), 10, jitter=0.4)
    stamp(planes.blood, [cells[k] for k in rng.integers(0, len(cells), len(points))], points)


def _mix(rng, stain, planes, depth, dead, bled):
    """Add the planes up to amounts of hematoxylin, eosin and blood with the means and spreads of the stain."""
    shape = depth.shape
    tissue = np.clip(depth * 40 + 0.5 + 0.5 * smooth(rng, shape, 9), 0, 1)
    tissue *= 1 - 0.85 * inner(planes.holes)
    dead, bled = np.clip(dead * 8 + 0.5, 0, 1), np.clip(bled * 8 + 0.5, 0, 1)
    grain, clumps = smooth(rng, shape, 3), smooth(rng, shape, 7)
    fabric = np.clip(0.8 + 0.12 * grain + 0.3 * inner(planes.fibres), 0.2, None)
    fabric += dead * (1 + 0.28 * clumps + 0.12 * grain - fabric)
    fabric *= tissue
    nuclei = inner(planes.nuclei) * (tissue * (1 - 0.8 * bled))
    blood = np.clip(inner(planes.blood) + 0.25 * bled, 0, 1.1) * np.clip(depth * 40 + 0.5, 0, 1)
    inside = tissue[::7, ::7] > 0.5
    nuclei *= np.float32(stain.nuclei)
    slow = np.exp(SLOW*np.tanh(1.5 * smooth(rng, fabric.shape, 150) + 0.5 * smooth(rng, fabric.shape, 40)))
    fine = np.clip(1+FIB * (inner(planes.fibres)-.4) + GRAIN*_grain(rng,shape),.2,None)
    fine = 1+ (1-dead)*(fine-1)+dead*(0.28 * clumps+.12*grain)
    fabric=tissue*slow*fine
    tint = fabric * (1 - 0.65 * dead)
    left = max(stain.hematoxylin - nuclei[::7,::7][inside].mean(), 0.3 * stain.hematoxylin)
    hematoxylin = nuclei + tint * np.float32(left/tint[::7,::7][inside].mean())
    fabric *= 1 + 0.5 * inner(planes.walls) - 0.15 * dead
    fabric *= 1 - 0.5 * np.clip(inner(planes.nuclei), 0, 1)
    eosin=fabric
    eosin*= max(stain.eosin - float(blood[::7,::7][inside].mean()), 0.3 * stain.eosin)/float(eosin[::7,::7][inside].mean())
    return hematoxylin, eosin, blood,tissue>.5
def _grain(rng,shape):
    n=rng.standard_normal((shape[0]+1,shape[1]+1), dtype=np.float32)
    if not SMG: return n[1:,1:]
    a=n[1:]+SMG*n[:-1]
    return (a[:,1:]+SMG*a[:,:-1])/(1+SMG*SMG)
import os
SMG=float(os.environ.get('SMG',0.6))
EF=float(os.environ.get('EF',.5))
FIB=float(os.environ.get('FIB',.5)); GRAIN=float(os.environ.get('GRAIN',.3))
NUC=float(os.environ.get('NUC',.6)); SLOW=float(os.environ.get('SLOW',.15)); FMAX=float(os.environ.get('FMAX',.6))
info=[]
