"""Write down which training slides are left out together."""

from slidecaf.logs import job
from slidecaf.segmentation.parts import write_groups

with job(snakemake.log[0]):
<<<<<<< HEAD
    write_groups(snakemake.output[0], snakemake.params.tracked["rows"])
=======
    write_groups(snakemake.output[0], snakemake.params.rows)
>>>>>>> steps
