"""Gather the scores of slides and average them."""

from slidecaf.files.manifests import read_manifests
from slidecaf.logs import job
from slidecaf.segmentation.results import write_scores

tracked, variants = snakemake.params.tracked, snakemake.params.untracked["variants"]
with job(snakemake.log[0]):
    segments = {variant: read_manifests(snakemake.input[variant]) for variant in variants}
    write_scores(
        slides=snakemake.output.slides,
        scores=snakemake.output.scores,
        scored={
            variant: {slide: files["score"].path for slide, files in of_slides.items()}
            for variant, of_slides in segments.items()
        },
        rows=tracked["rows"],
        group_name=tracked["group_name"],
        caveats=tracked["caveats"],
        seed=tracked["seed"],
    )
