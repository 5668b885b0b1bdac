"""Choose C, threshold and post-processing of a part on the maps of slides that the mapping models never saw."""

from pathlib import Path

from slidecaf.logs import job
from slidecaf.segmentation.choice import write_choice

inputs = snakemake.input
with job(snakemake.log[0]):
    write_choice(
        snakemake.output[0],
        part=snakemake.wildcards.part,
        folds=inputs.folds,
        maps={Path(path).stem: path for path in inputs.maps},
        labels={Path(path).stem: path for path in inputs.labels},
        grid=snakemake.params.grid,
    )
