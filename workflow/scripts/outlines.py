"""Outline the predicted necrosis of a batch's slides as annotations for QuPath."""

from slidecaf.logs import job
from slidecaf.segmentation.outlining import outline_slides

inputs, tracked = snakemake.input, snakemake.params.tracked
with job(snakemake.log[0]):
    outline_slides(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        method=snakemake.wildcards.method,
        variant=snakemake.wildcards.variant,
        segments=inputs.segments,
        tiles=inputs.tiles,
    )
