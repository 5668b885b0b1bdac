"""Pool the features of a batch's slides into one vector a norm."""

from slidecaf.logs import job
from slidecaf.pooling.batch import pool_slides

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    pool_slides(snakemake.output[0], tracked["slides"], tracked["settings"], features=snakemake.input[0])
