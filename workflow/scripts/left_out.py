"""Write down which training slides are left out together."""

from slidecaf.logs import job
from slidecaf.store import write_tsv

with job(snakemake.log[0]):
    write_tsv(snakemake.output[0], ["slide", "patient", "fold"], snakemake.params.rows)
