"""Let a part's model decide on slides that it never saw: the fold's held-out rows, or the test rows."""

<<<<<<< HEAD
from slidecaf.classification.classifier import decide
from slidecaf.files.manifests import paths_by_set
=======
from pathlib import Path

from slidecaf.classification.classifier import decide
>>>>>>> steps
from slidecaf.logs import job

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
<<<<<<< HEAD
    decide(
        snakemake.output[0],
        model=snakemake.input.model,
        pooled=paths_by_set(snakemake.input.pooled),
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        slides=tracked["test"],
        on_bad_slide=tracked["on_bad_slide"],
=======
    pooled = {}
    for path in map(Path, snakemake.input.pooled):
        pooled.setdefault(path.parent.name, {})[path.stem] = path
    decide(
        snakemake.output[0],
        model=snakemake.input.model,
        pooled=pooled,
        folds=snakemake.input.folds,
        part=snakemake.wildcards.part,
        slides={Path(path).stem for path in snakemake.input.pooled},
        on_bad_slide=snakemake.params.on_bad_slide,
>>>>>>> steps
    )
