"""Choose a part's candidate by cross-validation inside its training rows, select its features and fit its SVM."""

<<<<<<< HEAD
from slidecaf.classification.classifier import fit_classifier
from slidecaf.files.manifests import paths_by_set
from slidecaf.logs import job

tracked, output = snakemake.params.tracked, snakemake.output
with job(snakemake.log[0]):
=======
from pathlib import Path

from slidecaf.classification.classifier import fit_classifier
from slidecaf.logs import job

params, output = snakemake.params, snakemake.output
with job(snakemake.log[0]):
    pooled = {}
    for path in map(Path, snakemake.input.pooled):
        pooled.setdefault(path.parent.name, {})[path.stem] = path
>>>>>>> steps
    fit_classifier(
        choice=output.choice,
        selection=output.selection,
        model=output.model,
<<<<<<< HEAD
        pooled=paths_by_set(snakemake.input.pooled),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        rows=tracked["rows"],
        classes=tracked["classes"],
        grid=tracked["grid"],
        inner_folds=tracked["inner_folds"],
        seed=tracked["seed"],
        max_iter=tracked["grid"]["max_iter"],
        on_bad_slide=tracked["on_bad_slide"],
=======
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
>>>>>>> steps
        method=snakemake.wildcards.method,
    )
