"""Compare the methods pair by pair on the same slides, by McNemar's exact test."""

from pathlib import Path

from slidecaf.classification.results import write_comparison
from slidecaf.logs import job

with job(snakemake.log[0]):
    write_comparison(snakemake.output[0], {Path(path).parent.name: path for path in snakemake.input})
