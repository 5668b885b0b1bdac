"""Judge a method with one setting fixed, in the method's own folds."""

from slidecaf.classification.ablation import try_value
from slidecaf.files.manifests import paths_by_set
from slidecaf.logs import job
from slidecaf.study.config import ClassificationSvm

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    try_value(
        snakemake.output[0],
        pooled=paths_by_set(snakemake.input.pooled),
        folds=snakemake.input.folds,
        parts=tracked["parts"],
        settings=ClassificationSvm.model_validate(tracked["grid"]),
        rows=tracked["rows"],
        classes=tracked["classes"],
        inner_folds=tracked["inner_folds"],
        seed=tracked["seed"],
        on_bad_slide=tracked["on_bad_slide"],
        method=f"{snakemake.wildcards.method}, {snakemake.wildcards.setting}",
    )
