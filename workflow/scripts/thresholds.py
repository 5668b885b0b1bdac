"""Score a variant's left-out maps at many thresholds, with what else was chosen for the final model."""

from pathlib import Path

from slidecaf.logs import job
from slidecaf.segmentation.choice import write_thresholds

inputs = snakemake.input
with job(snakemake.log[0]):
    write_thresholds(
        snakemake.output[0],
        folds=inputs.folds,
        maps={Path(path).stem: path for path in inputs.maps},
        labels={Path(path).stem: path for path in inputs.labels},
        choice=inputs.choice,
    )
