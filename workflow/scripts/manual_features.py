"""Compute the manual features of a batch's slides."""

from slidecaf.features.batch import describe_slides
from slidecaf.logs import job

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    describe_slides(
        snakemake.output[0], tracked["slides"], tracked["settings"], tiles=snakemake.input.tiles, **untracked
    )
