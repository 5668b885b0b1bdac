"""Compute the features of a batch's slides."""

from slidecaf.features.batch import extract_slides
from slidecaf.logs import job

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    extract_slides(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        tiles=snakemake.input.tiles,
        encoder=next(iter(snakemake.input.encoder), None),
        **untracked,
    )
