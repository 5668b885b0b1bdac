"""What a job asks of a cluster: memory, time, a GPU. No jobs.

A rule that asks for nothing takes the profile's `default-resources`.

Needs   what common.smk gives; the keys extraction_... of a profile's default-resources
Gives   functions and values for `resources:`
"""

from math import ceil

from slidecaf.running.demands import BYTES_A_PATCH, SITE_KEYS, Demands, extraction_demands
from slidecaf.tiles.grid import Tiling

# Patches a second of a slow machine, one core or two; images that a network learns from.
PATCHWISE, DENSE, MAPPED, POOLED, LEARNED = 50, 1000, 10_000, 25_000, 10


def features_of(wildcards):
    """Return the feature set that a job is about."""
    return wildcards.features if "features" in wildcards.keys() else SEGMENTATION.features(wildcards.method)


def extraction_rate(features):
    """Return the patches a second of a feature set's extraction."""
    return DENSE if FEATURES[features].extraction == "dense" else PATCHWISE


SITE = workflow.resource_settings.default_resources or {}
EXTRACTION = or_end(extraction_demands, {key: str(SITE[key].raw).strip("'\"") for key in SITE_KEYS if key in SITE})
DEMANDS = Demands(
    SLIDE,
    BATCHES,
    {name: Tiling.from_config(FEATURES[name].tiling.plain()) if name in COMPUTED else None for name in FEATURES}
    | {None: Tiling(patch_size=8, stride=8)},  # of a method without a feature set: its cells
    features_of,
    lambda path: FINGERPRINTS.size(path) if os.path.exists(path) else 0,
    shards=CHECKED.shards,
)
memory, slide_memory, minutes = DEMANDS.memory, DEMANDS.slide_memory, DEMANDS.minutes


def held(wildcards):
    """Return how many patches a classifier holds to learn from; none where its kind reads pooled vectors."""
    method = CLASSIFICATION.methods[wildcards.method]
    slides = CLASSIFICATION.train if method.about.reads == "features" else []
    return sum(DEMANDS.patches(slide, name) for slide in slides for name in feature_sets(method))


def classifier_threads(wildcards):
    """Return the threads of a classifier: those of the config where its kind reads all patches."""
    return 1 if kind(wildcards).reads == "pooled" else STUDY.threads


def fitted_by_torch(wildcards):
    """Tell whether a method's SVMs of patches are fitted by torch, on a GPU where there is one."""
    return SEGMENTATION.methods[wildcards.method].solver == "torch"


def fitting_demands():
    """Return what jobs that fit SVMs of patches ask for: where torch does it, what those with a network ask for."""
    methods = SEGMENTATION.methods.values()
    if not any(method.kind == "svm" and method.solver == "torch" for method in methods):
        return {}
    usual = {
        "gpu": 0,
        "slurm_partition": str(SITE["slurm_partition"].raw).strip("'\"") if "slurm_partition" in SITE else None,
    }

    def asked(key):
        return lambda wildcards: EXTRACTION[key] if fitted_by_torch(wildcards) else usual.get(key)

    return {key: asked(key) for key in EXTRACTION}


def training_minutes(wildcards, attempt):
    """Return the minutes that a network is trained for at most."""
    method = CLASSIFICATION.methods[wildcards.method]
    images = len(CLASSIFICATION.train) * method.epochs * method.candidates * method.stages
    return attempt * ceil(30 + images / LEARNED / 60)
