"""Make map, mask, overlay and score of a batch's slides."""

from slidecaf.logs import job
from slidecaf.segmentation.segmenting import segment_slides

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, dict(snakemake.params.untracked)
with job(snakemake.log[0]):
    segment_slides(
        snakemake.output[0],
        tracked["slides"],
        tracked["settings"],
        variant=snakemake.wildcards.variant,
        tiles=inputs.tiles,
        choices=dict(zip(untracked.pop("parts"), inputs.choices, strict=True)),
        labels=inputs.labels,
        maps=inputs.maps,
        judged=inputs.confidences,
        features=inputs.features,
        model=next(iter(inputs.model), None),
        **untracked,
    )
