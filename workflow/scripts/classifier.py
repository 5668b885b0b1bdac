"""Choose a part's candidate by cross-validation inside its training rows, select its features and fit its SVM."""

from slidecaf.classification.classifier import fit_classifier
from slidecaf.files.manifests import paths_by_set
from slidecaf.logs import job

tracked, output = snakemake.params.tracked, snakemake.output
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
        grid=tracked["grid"],
        inner_folds=tracked["inner_folds"],
        seed=tracked["seed"],
        max_iter=tracked["grid"]["max_iter"],
        on_bad_slide=tracked["on_bad_slide"],
        method=snakemake.wildcards.method,
    )
