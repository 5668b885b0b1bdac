"""Assign training slides to folds; no patient straddles one."""

from slidecaf.classification.folds import write_folds
from slidecaf.logs import job

params = snakemake.params
with job(snakemake.log[0]):
    write_folds(snakemake.output[0], params.rows, folds=params.folds, seed=params.seed)
