"""Put predictions beside labels and score them."""

from slidecaf.classification.results import write_predictions_and_scores
from slidecaf.logs import job

inputs, tracked = snakemake.input, snakemake.params.tracked
with job(snakemake.log[0]):
    write_predictions_and_scores(
        predictions=snakemake.output.predictions,
        scores=snakemake.output.scores,
        decisions=dict(zip(snakemake.params.untracked["parts"], inputs.decisions, strict=True)),
        inner=dict(zip(snakemake.params.untracked["folds"], inputs.inner, strict=True)),
        folds=inputs.folds,
        rows=tracked["rows"],
        classes=tracked["classes"],
        method=snakemake.wildcards.method,
        copies=tracked["copies"],
        rare_classes=tracked["rare_classes"],
        group_name=tracked["group_name"],
        item_name=tracked["item_name"],
        caveats=tracked["caveats"],
        sensitivity=tracked["sensitivity"],
        seed=tracked["seed"],
        calibration=tracked.get("calibration"),
    )
