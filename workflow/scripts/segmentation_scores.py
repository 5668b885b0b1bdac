"""Gather the scores of slides and average them."""

from pathlib import Path

from slidecaf.logs import job
from slidecaf.segmentation.results import write_scores

params = snakemake.params
with job(snakemake.log[0]):
    scored = {}
    for path in map(Path, snakemake.input):
        scored.setdefault(path.parts[-3], {})[path.stem] = path
    write_scores(
        slides=snakemake.output.slides,
        scores=snakemake.output.scores,
        scored=scored,
        rows=params.rows,
        group_name=params.group_name,
        caveats=params.caveats,
        seed=params.seed,
    )
