"""Encode the images that a part learns from, or decides on, by the part's mixtures."""

from slidecaf.classification.fisher.encoded import encode
from slidecaf.classification.kinds import sets_read
from slidecaf.logs import job

tracked, wildcards = snakemake.params.tracked, snakemake.wildcards
with job(snakemake.log[0]):
    encode(
        snakemake.output[0],
        mixtures=snakemake.input.mixtures,
        features=sets_read(snakemake.input.features),
        folds=snakemake.input.folds,
        part=wildcards.part,
        rows=wildcards.rows,
        codebooks=tracked["codebooks"],
        kinds=tracked["kinds"],
        slides=tracked["test"],
        threads=snakemake.params.untracked["threads"],
        on_bad_slide=tracked["on_bad_slide"],
    )
