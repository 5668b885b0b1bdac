"""Choose a part's candidate by cross-validation inside its training rows, select its features and fit its SVM."""

from slidecaf.classification.classifier import fit_classifier
from slidecaf.files.manifests import paths_by_set
from slidecaf.logs import job
from slidecaf.study.config import ClassificationSvm

tracked, output = snakemake.params.tracked, snakemake.output
grid = ClassificationSvm.model_validate(tracked["grid"]).plain()
with job(snakemake.log[0]):
    fit_classifier(
        choice=output.choice,
        selection=output.selection,
        model=output.model,
        pooled=paths_by_set(snakemake.input.pooled),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        rows=tracked["rows"],
        classes=tracked["classes"],
        grid=grid,
        inner_folds=tracked["inner_folds"],
        seed=tracked["seed"],
        max_iter=grid["max_iter"],
        on_bad_slide=tracked["on_bad_slide"],
        method=snakemake.wildcards.method,
    )
