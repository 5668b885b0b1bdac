"""Count the masks of a batch's slides in cells, and label their patches."""

from slidecaf.logs import job
from slidecaf.segmentation.labelling import label_slides

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    label_slides(snakemake.output[0], tracked["slides"], tracked["settings"], tiles=snakemake.input.tiles, **untracked)
