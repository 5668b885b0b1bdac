"""Learn which regions are necrosis: for every part its inner models and its own, for every candidate."""

from slidecaf.files.manifests import slide_paths
from slidecaf.logs import job
from slidecaf.segmentation.graph_rlm.learning import fit_region_models

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    fit_region_models(
        dict(zip(untracked["parts"], snakemake.output, strict=True)),
        regions=slide_paths(inputs.regions, among=untracked["slides"]),
        labels=slide_paths(inputs.labels, among=untracked["slides"]),
        folds=inputs.groups,
        **tracked["settings"],
        seed=tracked["seed"],
        on_bad_slide=tracked["on_bad_slide"],
        sheet=untracked["sheet"],
    )
