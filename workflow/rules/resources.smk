"""What a job asks of a cluster: memory, time, a GPU. No jobs.

Snakemake looks at these where a profile bounds them or sends jobs to a cluster, and never to decide what to run
again. Amounts are generous, since a job that is killed costs more than one that waits a little longer, and each
further attempt asks for as much again. A batch needs the memory of its most demanding slide and the time of all.

Needs   what common.smk gives; the keys extraction_... of a profile's default-resources
Gives   functions and values for `resources:`
"""

import functools
from math import ceil

from slidecaf.tiles.grid import Tiling

PIXELS_A_BYTE = 8  # of JPEG in a pyramid: CMU-1 of OpenSlide's test data has 8.5
USUAL_MPP = 0.5  # where a tiling counts at a resolution and the sheet gives none
USUAL_STRIDE = 256  # of features that another program computed
BYTES_A_PATCH = 64  # coordinates, what is kept of cells and maps: benchmarks/RESULTS.md has 30 to 60
WHOLE = (".png", ".jpg", ".jpeg")  # decoded whole
# Patches a second of a slow machine, one core or two.
PATCHWISE, DENSE, MAPPED, POOLED = 50, 1000, 10_000, 25_000
TILINGS = {name: Tiling.from_config(FEATURES[name]["tiling"]) for name in COMPUTED}


def extraction():
    """Return what jobs that run a network ask for: a GPU, and the partition and kind of GPU that the profile names."""
    site = workflow.resource_settings.default_resources or {}
    named = {
        key: str(site[f"extraction_{key}"].raw).strip("'\"")
        for key in ("partition", "gpu_model", "gpus")
        if f"extraction_{key}" in site
    }
    asked = {"gpu": int(named.get("gpus", 1))}
    if asked["gpu"] > 1:
        sys.exit(
            f"extraction_gpus is {asked['gpu']} in the profile; a job uses one GPU: write 1, or 0 where there are none."
        )
    if "partition" in named:
        asked["slurm_partition"] = named["partition"]
    if "gpu_model" in named and asked["gpu"]:
        asked["gpu_model"] = named["gpu_model"]
    return asked


EXTRACTION = extraction()


@functools.cache
def pixels(slide):
    """Guess how many pixels a slide has by the size of its file."""
    path = SLIDE[slide].path
    return PIXELS_A_BYTE * FINGERPRINTS.size(path) if os.path.exists(path) else 0


@functools.cache
def patches(slide, features):
    """Guess how many patches a slide has, if it is full of tissue."""
    if features in IMPORTED:
        return pixels(slide) / USUAL_STRIDE**2
    tiling = TILINGS[features]
    finer = tiling.mpp / (SLIDE[slide].mpp or USUAL_MPP) if tiling.mpp else 1
    return pixels(slide) / (tiling.stride * finer) ** 2


def features_of(wildcards):
    """Return the feature set that a job is about."""
    if "features" in wildcards.keys():
        return wildcards.features
    return SEGMENTATION.features(wildcards.method)


def memory(base, *, a_patch=0, a_pixel=0, a_slide=0):
    """Return a resource function: MB for the attempt.

    `base` MB; bytes a patch and a pixel of the batch's most demanding slide; MB for each slide of the study, where a
    job reads all.
    """

    def slide_bytes(slide, wildcards):
        of_patches = a_patch and a_patch * patches(slide, features_of(wildcards))
        return of_patches + a_pixel * pixels(slide)

    def amount(wildcards, attempt):
        most = 0
        if a_patch or a_pixel:
            of_batch = BATCHES[int(wildcards.batch)]
            most = max(slide_bytes(slide, wildcards) for slide in of_batch) / 1e6
        return attempt * ceil(base + a_slide * len(SLIDE) + most)

    return amount


def slide_memory(base, *, a_patch=BYTES_A_PATCH):
    """Return a resource function: MB for the attempt at a job that reads slides, some of which are decoded whole."""
    streamed = memory(base, a_patch=a_patch)
    decoded = memory(base, a_patch=a_patch, a_pixel=4)

    def amount(wildcards, attempt):
        names = [SLIDE[slide].path.lower() for slide in BATCHES[int(wildcards.batch)]]
        whole = any(name.endswith(WHOLE) for name in names)
        return (decoded if whole else streamed)(wildcards, attempt)

    return amount


def minutes(base, *, rate=None, a_slide=0):
    """Return a resource function: minutes for the attempt.

    `base` minutes; a minute for each slide of the batch and the time of its patches at `rate` a second; minutes for
    each slide of the study, where a job reads all.
    """

    def amount(wildcards, attempt):
        asked = base + a_slide * len(SLIDE)
        if rate:
            of_batch = BATCHES[int(wildcards.batch)]
            counts = [patches(slide, features_of(wildcards)) for slide in of_batch]
            asked += len(of_batch) + sum(counts) / rate / 60
        return attempt * ceil(asked)

    return amount


def extraction_minutes(base):
    """Return a resource function: minutes for the attempt at a job that runs a network over slides."""
    dense, patchwise = minutes(base, rate=DENSE), minutes(base, rate=PATCHWISE)

    def amount(wildcards, attempt):
        kind = FEATURES[features_of(wildcards)]["extraction"]
        return (dense if kind == "dense" else patchwise)(wildcards, attempt)

    return amount
