"""Score a variant's left-out maps at many thresholds, with what else was chosen for the final model."""

<<<<<<< HEAD
from slidecaf.files.manifests import slide_paths
=======
from pathlib import Path

>>>>>>> steps
from slidecaf.logs import job
from slidecaf.segmentation.choice import write_thresholds

inputs = snakemake.input
with job(snakemake.log[0]):
    write_thresholds(
        snakemake.output[0],
<<<<<<< HEAD
        folds=inputs.groups,
        maps=slide_paths(inputs.maps),
        labels=slide_paths(inputs.labels),
=======
        folds=inputs.folds,
        maps={Path(path).stem: path for path in inputs.maps},
        labels={Path(path).stem: path for path in inputs.labels},
>>>>>>> steps
        choice=inputs.choice,
    )
