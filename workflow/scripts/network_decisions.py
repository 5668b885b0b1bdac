"""Let a part's network decide on images that it never saw: the fold's held-out rows, or the test rows."""

from slidecaf.classification.network import decide_network
from slidecaf.files.manifests import slide_paths
from slidecaf.logs import job

tracked = snakemake.params.tracked
with job(snakemake.log[0]):
    decide_network(
        snakemake.output[0],
        model=snakemake.input.model,
        network=snakemake.input.network,
        folds=snakemake.input.folds,
        tiles=slide_paths(snakemake.input.tiles),
        part=snakemake.wildcards.part,
        slides=tracked["slides"],
        test=tracked["test"],
        on_bad_slide=tracked["on_bad_slide"],
        **snakemake.params.untracked,
    )
