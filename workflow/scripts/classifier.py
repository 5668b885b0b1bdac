"""Let a method learn from a part's training rows: choice by cross-validation inside them, selection and model."""

from slidecaf.classification.classifier import fit_classifier
from slidecaf.classification.kinds import files_read
from slidecaf.logs import job
from slidecaf.study.config import classification_method

tracked, untracked, output = snakemake.params.tracked, snakemake.params.untracked, snakemake.output
settings = classification_method(tracked["grid"])
with job(snakemake.log[0]):
    fit_classifier(
        choice=output.choice,
        selection=output.selection,
        model=output.model,
        inner=output.inner,
        vectors=files_read(settings.way, snakemake.input.vectors),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        rows=tracked["rows"],
        classes=tracked["classes"],
        settings=settings,
        inner_folds=tracked["inner_folds"],
        seed=tracked["seed"],
        threads=untracked["threads"],
        memory=untracked["memory"],
        on_bad_slide=tracked["on_bad_slide"],
        method=snakemake.wildcards.method,
    )
