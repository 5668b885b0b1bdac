"""Draw the demo study's synthetic slides."""

from pathlib import Path

from slidecaf.demo import make_demo
from slidecaf.logs import job

with job(snakemake.log[0]):
    make_demo(Path(snakemake.output[0]).parents[1], seed=snakemake.params.tracked["seed"], workers=snakemake.threads)
