"""Draw where a batch's slides show what their class is told by, each by the model that never saw its slide."""

from slidecaf.classification.fisher.maps import draw_maps
from slidecaf.logs import job

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, dict(snakemake.params.untracked)
parts, sets = untracked.pop("parts"), untracked.pop("sets")
with job(snakemake.log[0]):
    draw_maps(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        features=sets,
        folds=inputs.folds,
        models=dict(zip(parts, inputs.models, strict=True)),
        mixtures=dict(zip(parts, inputs.mixtures, strict=True)),
        **untracked,
    )
