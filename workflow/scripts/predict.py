"""Let the final models judge the patches of a batch's test slides as the network gives them."""

from slidecaf.logs import job
from slidecaf.segmentation.judging import judge_slides

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, dict(snakemake.params.untracked)
with job(snakemake.log[0]):
    judge_slides(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        tiles=inputs.tiles,
        encoder=inputs.encoder,
        models=dict(zip(untracked.pop("variants"), inputs.models, strict=True)),
        **untracked,
    )
