"""Choose a part's candidate by cross-validation inside its training rows, select its features and fit its SVM."""

from pathlib import Path

from slidecaf.classification.classifier import fit_classifier
from slidecaf.logs import job

params, output = snakemake.params, snakemake.output
with job(snakemake.log[0]):
    pooled = {}
    for path in map(Path, snakemake.input.pooled):
        pooled.setdefault(path.parent.name, {})[path.stem] = path
    fit_classifier(
        choice=output.choice,
        selection=output.selection,
        model=output.model,
        pooled=pooled,
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        rows=params.rows,
        classes=params.classes,
        grid=params.method,
        inner_folds=params.inner_folds,
        seed=params.seed,
        max_iter=params.method["max_iter"],
        on_bad_slide=params.on_bad_slide,
        method=snakemake.wildcards.method,
    )
