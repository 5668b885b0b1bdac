"""Make a batch's slides small."""

from slidecaf.logs import job
from slidecaf.slides.thumbnail import make_thumbnails

tracked, untracked = snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    make_thumbnails(snakemake.output[0], tracked["slides"], tracked["settings"], **untracked)
