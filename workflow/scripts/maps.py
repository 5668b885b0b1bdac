"""Map a batch's training slides by every model that never saw them."""

from slidecaf.logs import job
from slidecaf.segmentation.mapping import map_slides

inputs, tracked = snakemake.input, snakemake.params.tracked
with job(snakemake.log[0]):
    map_slides(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        groups=inputs.groups,
        features=inputs.features,
        models=dict(zip(snakemake.params.untracked["parts"], inputs.models, strict=True)),
    )
