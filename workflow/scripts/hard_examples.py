"""Find the hard examples of every part on maps by models that never saw the slide."""

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
    )
