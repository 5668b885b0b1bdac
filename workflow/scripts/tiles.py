"""Find where the patches of a batch's slides are."""

from slidecaf.logs import job
from slidecaf.tiles.batch import tile_slides

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    tile_slides(snakemake.output[0], tracked["slides"], tracked["settings"], **untracked)
