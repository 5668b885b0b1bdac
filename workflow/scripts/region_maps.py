"""Map a batch's slides by every model of regions that never saw them."""

from slidecaf.logs import job
from slidecaf.segmentation.graph_rlm.mapping import map_regions

inputs, tracked = snakemake.input, snakemake.params.tracked
with job(snakemake.log[0]):
    map_regions(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        groups=inputs.groups,
        regions=inputs.regions,
        models=dict(zip(snakemake.params.untracked["parts"], inputs.models, strict=True)),
    )
