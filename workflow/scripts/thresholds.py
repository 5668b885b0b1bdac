"""Score a variant's left-out maps at many thresholds, with what else was chosen for the final model."""

from slidecaf.files.manifests import slide_paths
from slidecaf.logs import job
from slidecaf.segmentation.choice import write_thresholds

inputs = snakemake.input
with job(snakemake.log[0]):
    write_thresholds(
        snakemake.output[0],
        folds=inputs.groups,
        maps=slide_paths(inputs.maps),
        labels=slide_paths(inputs.labels),
        choice=inputs.choice,
    )
