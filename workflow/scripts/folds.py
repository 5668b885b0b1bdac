"""Assign training slides to folds; no patient straddles one."""

from slidecaf.classification.folds import write_folds
from slidecaf.logs import job

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    write_folds(snakemake.output[0], tracked["rows"], folds=tracked["folds"], seed=tracked["seed"])
