"""Score the patches of a batch's slides, each by the model that never saw its slide."""

from slidecaf.classification.patches import score_patches
from slidecaf.logs import job

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    score_patches(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        kind=untracked["kind"],
        features=inputs.features,
        folds=inputs.folds,
        models=dict(zip(untracked["parts"], inputs.models, strict=True)),
    )
