"""Share the decisions on a batch's slides out among their patches, each by the model that never saw its slide."""

from slidecaf.classification.heatmap import write_heatmaps
from slidecaf.logs import job

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    write_heatmaps(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        features=inputs.features,
        pooled=inputs.pooled,
        folds=inputs.folds,
        models=dict(zip(untracked["parts"], inputs.models, strict=True)),
    )
