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


def deciding_minutes(wildcards, attempt):
    """Return the minutes that a network takes at most for images, or for all patches of slides."""
    method, slides = CLASSIFICATION.methods[wildcards.method], decided_slides(wildcards)
    patches = sum(DEMANDS.patches(slide, name) for slide in slides for name in patch_sets(method))
    return attempt * ceil(30 + 0.01 * len(slides) + patches / PATCHWISE / 60)


def training_minutes(wildcards, attempt):
    """Return the minutes that a network is trained for at most."""
    method = CLASSIFICATION.methods[wildcards.method]
    images = len(CLASSIFICATION.train) * method.epochs * method.candidates * method.stages
    images *= method.patches_per_slide if method.patches_of else 1
    return attempt * ceil(30 + images / LEARNED / 60)
