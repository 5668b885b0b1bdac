"""Draw where networks see the class of a batch's images, each by the network that never saw its image."""

from slidecaf.classification.activation import draw_activations
from slidecaf.logs import job

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, dict(snakemake.params.untracked)
parts = untracked.pop("parts")
with job(snakemake.log[0]):
    draw_activations(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        folds=inputs.folds,
        models=dict(zip(parts, inputs.models, strict=True)),
        networks=dict(zip(parts, inputs.networks, strict=True)),
        **untracked,
    )
