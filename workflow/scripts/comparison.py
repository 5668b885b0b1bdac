"""Compare the methods pair by pair on the same slides, by McNemar's exact test."""

<<<<<<< HEAD
=======
from pathlib import Path

>>>>>>> steps
from slidecaf.classification.results import write_comparison
from slidecaf.logs import job

with job(snakemake.log[0]):
<<<<<<< HEAD
    methods = snakemake.params.tracked["methods"]
    write_comparison(snakemake.output[0], dict(zip(methods, snakemake.input, strict=True)))
=======
    write_comparison(snakemake.output[0], {Path(path).parent.name: path for path in snakemake.input})
>>>>>>> steps
