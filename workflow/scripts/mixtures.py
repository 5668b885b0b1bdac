"""Fit the mixtures of a part's training images, by which they are encoded."""

from slidecaf.classification.fisher.mixtures import fit_mixtures
from slidecaf.classification.kinds import sets_read
from slidecaf.logs import job

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    fit_mixtures(
        snakemake.output[0],
        features=sets_read(snakemake.input.features),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        rows=tracked["rows"],
        classes=tracked["classes"],
        codebooks=tracked["codebooks"],
        inner_folds=tracked["inner_folds"],
        seed=tracked["seed"],
        threads=snakemake.params.untracked["threads"],
        on_bad_slide=tracked["on_bad_slide"],
        method=snakemake.wildcards.method,
    )
