"""Let a part's model decide on slides that it never saw: the fold's held-out rows, or the test rows."""

from slidecaf.classification.classifier import decide
from slidecaf.classification.kinds import files_read
from slidecaf.logs import job

tracked, kind = snakemake.params.tracked, snakemake.params.untracked["kind"]
with job(snakemake.log[0]):
    decide(
        snakemake.output[0],
        kind=kind,
        model=snakemake.input.model,
        vectors=files_read(kind, snakemake.input.vectors),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        slides=tracked["test"],
        on_bad_slide=tracked["on_bad_slide"],
    )
