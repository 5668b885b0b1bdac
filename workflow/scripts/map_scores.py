"""Set side by side what maps say of slides, and of their masks."""

from slidecaf.classification.class_maps import write_map_scores
from slidecaf.logs import job

with job(snakemake.log[0]):
    write_map_scores(
        snakemake.output[0],
        snakemake.input.maps,
        folds=snakemake.input.folds,
        splits=snakemake.params.tracked["splits"],
    )
