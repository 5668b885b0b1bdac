"""Put predictions beside labels and score them."""

from pathlib import Path

from slidecaf.classification.results import write_predictions_and_scores
from slidecaf.logs import job

params = snakemake.params
with job(snakemake.log[0]):
    write_predictions_and_scores(
        predictions=snakemake.output.predictions,
        scores=snakemake.output.scores,
        decisions={Path(path).parent.name: path for path in snakemake.input.decisions},
        folds=snakemake.input.folds,
        rows=params.rows,
        classes=params.classes,
        method=snakemake.wildcards.method,
        group_name=params.group_name,
        caveats=params.caveats,
        seed=params.seed,
    )
