"""What a job asks of a cluster: memory, time, a GPU. No jobs.

A rule that asks for nothing takes the profile's `default-resources`.

Needs   what common.smk gives; the keys extraction_... of a profile's default-resources
Gives   functions and values for `resources:`
"""

from slidecaf.running.demands import BYTES_A_PATCH, SITE_KEYS, Demands, demands_where, extraction_demands
from slidecaf.running.jobs.learning import LearningDemands, fitting_demands
from slidecaf.tiles.grid import Tiling

# Patches a second of a slow machine, one core or two.
PATCHWISE, DENSE, MAPPED, POOLED = 50, 1000, 10_000, 25_000


def extraction_rate(features):
    """Return the patches a second of a feature set's extraction."""
    return DENSE if FEATURES[features].extraction == "dense" else PATCHWISE


SITE = workflow.resource_settings.default_resources or {}
ASKED = {key: str(SITE[key].raw).strip("'\"") for key in (*SITE_KEYS, "slurm_partition") if key in SITE}
EXTRACTION = or_end(extraction_demands, ASKED)
LOOKING = demands_where(SETS.looked_at_first, EXTRACTION, ASKED.get("slurm_partition"))
FITTING = fitting_demands(SEGMENTATION.methods, EXTRACTION, ASKED.get("slurm_partition"))
DEMANDS = Demands(
    SLIDE,
    TARGETS.batches,
    {name: Tiling.from_config(FEATURES[name].tiling.plain()) if name in SETS.tiled else None for name in FEATURES}
    | {None: Tiling(patch_size=8, stride=8)},  # of a method without a feature set: its cells
    SETS.name,
    DIGESTS.size,
    shards=CHECKED.shards,
)
LEARNING = LearningDemands(DEMANDS, CLASSIFICATION, STUDY.threads)
memory, slide_memory, minutes = DEMANDS.memory, DEMANDS.slide_memory, DEMANDS.minutes
