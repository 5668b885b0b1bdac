"""Compare the methods pair by pair on the same slides, by McNemar's exact test."""

from slidecaf.classification.results import write_comparison
from slidecaf.logs import job

with job(snakemake.log[0]):
    methods = snakemake.params.tracked["methods"]
    write_comparison(snakemake.output[0], dict(zip(methods, snakemake.input, strict=True)))
