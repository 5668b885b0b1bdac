"""Write the config as used, with its defaults filled in."""

from slidecaf.logs import job
from slidecaf.study.provenance import write_study

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    write_study(snakemake.output[0], tracked["study"], revision=tracked["revision"], encoders=snakemake.input)
