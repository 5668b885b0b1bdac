"""Write down which training slides are left out together."""

from slidecaf.files.tables import write_tsv
from slidecaf.logs import job

with job(snakemake.log[0]):
    write_tsv(snakemake.output[0], ["slide", "patient", "fold"], snakemake.params.rows)
