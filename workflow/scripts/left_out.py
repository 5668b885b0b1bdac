"""Write down which training slides are left out together."""

from slidecaf.logs import job
from slidecaf.segmentation.parts import write_groups

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    write_groups(snakemake.output[0], tracked["rows"], tracked["groups"])
