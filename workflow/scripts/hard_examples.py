"""Find the hard examples of every part on maps by models that never saw the slide."""

from slidecaf.files.manifests import slide_paths
from slidecaf.logs import job
from slidecaf.segmentation.hard_examples import find_hard_examples

inputs, output, tracked = snakemake.input, snakemake.output, snakemake.params.tracked
with job(snakemake.log[0]):
    find_hard_examples(
        dict(zip([*snakemake.params.untracked["parts"], "final"], [*output.parts, output.final], strict=True)),
        output.summary,
        folds=inputs.groups,
        tiles=slide_paths(inputs.tiles),
        labels=slide_paths(inputs.labels),
        maps=slide_paths(inputs.maps),
        **tracked["settings"],
        **tracked["hard"],
        seed=tracked["seed"],
    )
