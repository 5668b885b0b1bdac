"""Write the config as used, with its defaults filled in."""

from slidecaf.logs import job
from slidecaf.study.provenance import write_study

params = snakemake.params
with job(snakemake.log[0]):
    write_study(snakemake.output[0], params.study, code=params.all_code, encoders=snakemake.input)
