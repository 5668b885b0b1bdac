"""Let a method learn from a part's training rows: choice by cross-validation inside them, selection and model."""

from slidecaf.classification.classifier import fit_classifier
from slidecaf.files.manifests import paths_by_set
from slidecaf.logs import job
from slidecaf.study.config import classification_method

tracked, output = snakemake.params.tracked, snakemake.output
with job(snakemake.log[0]):
    fit_classifier(
        choice=output.choice,
        selection=output.selection,
        model=output.model,
        vectors=paths_by_set(snakemake.input.vectors),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        rows=tracked["rows"],
        classes=tracked["classes"],
        settings=classification_method(tracked["grid"]),
        inner_folds=tracked["inner_folds"],
        seed=tracked["seed"],
        threads=snakemake.threads,
        memory=snakemake.params.untracked["memory"],
        on_bad_slide=tracked["on_bad_slide"],
        method=snakemake.wildcards.method,
    )
