"""Share networks' decisions on a batch's slides out among their patches, each by the network that never saw it."""

from slidecaf.classification.network_heatmap import write_network_heatmaps
from slidecaf.logs import job

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, dict(snakemake.params.untracked)
parts = untracked.pop("parts")
with job(snakemake.log[0]):
    write_network_heatmaps(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        tiles=inputs.tiles,
        folds=inputs.folds,
        models=dict(zip(parts, inputs.models, strict=True)),
        networks=dict(zip(parts, inputs.networks, strict=True)),
        **untracked,
    )
