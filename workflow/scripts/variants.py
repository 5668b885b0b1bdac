"""Compare the scores before and after retraining with hard examples, slide by slide."""

from slidecaf.logs import job
from slidecaf.segmentation.results import write_variants

inputs, seed = snakemake.input, snakemake.params.tracked["seed"]
with job(snakemake.log[0]):
    write_variants(snakemake.output[0], slides=inputs.slides, hard_examples=inputs.hard, seed=seed)
