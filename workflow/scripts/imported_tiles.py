"""Take where the patches of a batch's slides are from another program's files."""

from slidecaf.exchange.batch import import_tiles
from slidecaf.logs import job

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    import_tiles(snakemake.output[0], tracked["slides"], tracked["settings"], **untracked)
