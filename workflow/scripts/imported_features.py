"""Take the features of a batch's slides from another program's files."""

from slidecaf.exchange.batch import import_features
from slidecaf.logs import job

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    import_features(
        snakemake.output[0], tracked["slides"], tracked["settings"], tiles=snakemake.input.tiles, **untracked
    )
