"""Compute the features of a shard of whole images."""

from slidecaf.features.whole import extract_shard
from slidecaf.logs import job

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    extract_shard(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        encoder=next(iter(snakemake.input.encoder), None),
        **untracked,
    )
