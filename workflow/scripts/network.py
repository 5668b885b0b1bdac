"""Train a part's network on its training images, and write it with what was chosen."""

from slidecaf.classification.network import fit_network
from slidecaf.files.manifests import slide_paths
from slidecaf.logs import job
from slidecaf.study.config import classification_method

tracked, untracked, output = snakemake.params.tracked, snakemake.params.untracked, snakemake.output
with job(snakemake.log[0]):
    fit_network(
        choice=output.choice,
        selection=output.selection,
        model=output.model,
        inner=output.inner,
        network=output.network,
        curves=output.curves,
        folds=snakemake.input.folds,
        tiles=slide_paths(snakemake.input.tiles),
        part=snakemake.wildcards.part,
        rows=tracked["rows"],
        slides=tracked["slides"],
        classes=tracked["classes"],
        settings=classification_method(tracked["settings"]),
        weights=tracked["weights"],
        revision=tracked["revision"],
        on_bad_slide=tracked["on_bad_slide"],
        seed=tracked["seed"],
        method=snakemake.wildcards.method,
        **untracked,
    )
