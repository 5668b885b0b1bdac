"""Draw the demo collection's synthetic images."""

from pathlib import Path

from slidecaf.demo import make_collection
from slidecaf.logs import job

with job(snakemake.log[0]):
    make_collection(
        Path(snakemake.output[0]).parents[1], seed=snakemake.params.tracked["seed"], workers=snakemake.threads
    )
