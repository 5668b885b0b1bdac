"""Assign training slides to folds; no patient straddles one."""

from slidecaf.classification.folds import assign_folds
from slidecaf.files.tables import write_tsv
from slidecaf.logs import job

params = snakemake.params
with job(snakemake.log[0]):
    rows = params.rows
    fixed = [row["fold"] for row in rows] if rows[0]["fold"] is not None else None
    folds = assign_folds(
        [row["label"] for row in rows],
        [row["patient"] for row in rows],
        params.folds,
        seed=params.seed,
        fixed=fixed,
    )
    table = [{**row, "fold": int(fold)} for row, fold in zip(rows, folds, strict=True)]
    write_tsv(snakemake.output[0], ["slide", "patient", "fold"], table)
