"""Find the hard examples of every part on maps by models that never saw the slide."""
<<<<<<< HEAD

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
=======

from pathlib import Path

from slidecaf.logs import job
from slidecaf.segmentation.hard_examples import find_hard_examples

params, inputs, output = snakemake.params, snakemake.input, snakemake.output
with job(snakemake.log[0]):
    parts = {Path(path).parent.name: path for path in output.parts}
    tiles, labels, maps = (
        {Path(path).stem: path for path in paths} for paths in (inputs.tiles, inputs.labels, inputs.maps)
    )
    find_hard_examples(
        {**parts, "final": output.final},
        output.summary,
        folds=inputs.folds,
        tiles=tiles,
        labels=labels,
        maps=maps,
        **params.settings,
        **params.hard,
        seed=params.seed,
>>>>>>> steps
    )
