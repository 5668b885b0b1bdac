"""What a job asks of a cluster: memory, time, a GPU. No jobs.

Snakemake looks at these where a profile bounds them or sends jobs to a cluster, and never to decide what to run
again: a local run is as fast as without them. Amounts are generous, since a job that is killed costs more than one
that waits a little longer, and each further attempt asks for as much again.

Needs   what common.smk and common_segmentation.smk give; the keys extraction_... of a profile's default-resources
Gives   functions and values for `resources:`
"""

from slidecaf.tiles.grid import Tiling

PIXELS_A_BYTE = 8  # of JPEG in a pyramid: CMU-1 of OpenSlide's test data has 8.5
USUAL_MPP = 0.5  # where a tiling counts at a resolution and the sheet gives none
BYTES_A_PATCH = 64  # coordinates, what is kept of cells and maps: benchmarks/RESULTS.md has 30 to 60
WHOLE = (".png", ".jpg", ".jpeg")  # decoded whole

USUAL_STRIDE = 256  # of features that another program computed
TILINGS = {
    name: Tiling.from_config(STUDY["features"][name]["tiling"]) for name in COMPUTED
}

# Patches a second of a slow machine, one core or two.
PATCHWISE, DENSE, MAPPED, POOLED = 50, 1000, 10_000, 25_000


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
    return SEGMENTATION_METHODS[wildcards.method]["features"]


def memory(base, *, a_patch=0, a_pixel=0, a_slide=0):
    """Return a resource function: MB for the attempt.

    `base` MB; bytes a patch and a pixel of the job's slide; MB for each slide of the study, where a job reads all.
    """

    def amount(wildcards, attempt):
        asked = base + a_slide * len(SLIDE)
        if a_patch:
            asked += a_patch * patches(wildcards.slide, features_of(wildcards)) / 1e6
        if a_pixel:
            asked += a_pixel * pixels(wildcards.slide) / 1e6
        return attempt * ceil(asked)

    return signed(amount)


def slide_memory(base, *, a_patch=BYTES_A_PATCH):
    """Return a resource function: MB for the attempt at a job that reads a slide."""
    streamed = memory(base, a_patch=a_patch)
    decoded = memory(base, a_patch=a_patch, a_pixel=4)

    def amount(wildcards, attempt):
        whole = SLIDE[wildcards.slide].path.lower().endswith(WHOLE)
        return (decoded if whole else streamed)(wildcards, attempt)

    return signed(amount)


def minutes(base, *, rate=None, a_slide=0):
    """Return a resource function: minutes for the attempt.

    `base` minutes; the time of the slide's patches at `rate` a second; minutes for each slide of the study, where a
    job reads all.
    """

    def amount(wildcards, attempt, base=base):
        asked = base + a_slide * len(SLIDE)
        if rate:
            asked += patches(wildcards.slide, features_of(wildcards)) / rate / 60
        return attempt * ceil(asked)

    return signed(amount)


def extraction_minutes(base):
    """Return a resource function: minutes for the attempt at a job that runs a network over a slide."""
    dense, patchwise = minutes(base, rate=DENSE), minutes(base, rate=PATCHWISE)

    def amount(wildcards, attempt, base=base):
        kind = STUDY["features"][features_of(wildcards)]["extraction"]
        chosen = dense if kind == "dense" else patchwise
        return chosen(wildcards, attempt, base=base)

    return signed(amount)
