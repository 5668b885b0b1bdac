"""What a job asks of a cluster: memory, time, a GPU. No jobs.

A rule that asks for nothing takes the profile's `default-resources`.

Needs   what common.smk gives; the keys extraction_... of a profile's default-resources
Gives   functions and values for `resources:`
"""

from slidecaf.running.demands import BYTES_A_PATCH, Demands
from slidecaf.tiles.grid import Tiling

# Patches a second of a slow machine, one core or two.
PATCHWISE, DENSE, MAPPED, POOLED = 50, 1000, 10_000, 25_000


def features_of(wildcards):
    """Return the feature set that a job is about."""
    return wildcards.features if "features" in wildcards.keys() else SEGMENTATION.features(wildcards.method)


def extraction_rate(features):
    """Return the patches a second of a feature set's extraction."""
    return DENSE if FEATURES[features].extraction == "dense" else PATCHWISE


def extraction():
    """Return what jobs that run a network ask for: a GPU, and the partition and kind of GPU that the profile names."""
    site = workflow.resource_settings.default_resources or {}
    keys = [key for key in ("partition", "gpu_model", "gpus") if f"extraction_{key}" in site]
    named = {key: str(site[f"extraction_{key}"].raw).strip("'\"") for key in keys}
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
DEMANDS = Demands(
    SLIDE,
    BATCHES,
    {name: Tiling.from_config(FEATURES[name].tiling.plain()) if name in COMPUTED else None for name in FEATURES},
    features_of,
    lambda path: FINGERPRINTS.size(path) if os.path.exists(path) else 0,
)
memory, slide_memory, minutes = DEMANDS.memory, DEMANDS.slide_memory, DEMANDS.minutes
