"""Choose C, threshold and post-processing of a part on the maps of slides that the mapping models never saw."""

from slidecaf.files.manifests import slide_paths
from slidecaf.logs import job
from slidecaf.segmentation.choice import write_choice

inputs = snakemake.input
with job(snakemake.log[0]):
    write_choice(
        snakemake.output[0],
        part=snakemake.wildcards.part,
        folds=inputs.groups,
        maps=slide_paths(inputs.maps),
        labels=slide_paths(inputs.labels),
        grid=snakemake.params.tracked["grid"],
    )
