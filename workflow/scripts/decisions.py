"""Let a part's model decide on slides that it never saw: the fold's held-out rows, or the test rows."""

from slidecaf.classification.classifier import decide
from slidecaf.files.manifests import paths_by_set
from slidecaf.logs import job

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    decide(
        snakemake.output[0],
        kind=snakemake.params.untracked["kind"],
        model=snakemake.input.model,
        vectors=paths_by_set(snakemake.input.vectors),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        slides=tracked["test"],
        on_bad_slide=tracked["on_bad_slide"],
    )
