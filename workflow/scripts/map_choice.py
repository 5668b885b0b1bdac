"""Choose C, threshold and post-processing of a part on the maps of slides that the mapping models never saw."""

<<<<<<< HEAD
from slidecaf.files.manifests import slide_paths
from slidecaf.logs import job
from slidecaf.segmentation.choice import write_choice

=======
from pathlib import Path

from slidecaf.logs import job
from slidecaf.segmentation.choice import write_choice

>>>>>>> steps
inputs = snakemake.input
with job(snakemake.log[0]):
    write_choice(
        snakemake.output[0],
        part=snakemake.wildcards.part,
<<<<<<< HEAD
        folds=inputs.groups,
        maps=slide_paths(inputs.maps),
        labels=slide_paths(inputs.labels),
        grid=snakemake.params.tracked["grid"],
=======
        folds=inputs.folds,
        maps={Path(path).stem: path for path in inputs.maps},
        labels={Path(path).stem: path for path in inputs.labels},
        grid=snakemake.params.grid,
>>>>>>> steps
    )
