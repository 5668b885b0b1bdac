"""Segment a batch's slides into regions of like texture, without labels."""

from slidecaf.logs import job
from slidecaf.segmentation.graph_rlm.finding import find_slide_regions

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    find_slide_regions(snakemake.output[0], tracked["slides"], tracked["settings"], **untracked)
