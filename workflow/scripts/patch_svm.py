"""Fit the SVMs of patches: for every part its inner models and its own, for every C."""

from slidecaf.files.manifests import slide_paths
from slidecaf.files.versions import origin
from slidecaf.logs import job
from slidecaf.segmentation.training import fit_parts

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    parts = untracked["parts"]
    fit_parts(
        dict(zip(parts, snakemake.output, strict=True)),
        features=slide_paths(inputs.features, among=untracked["slides"]),
        labels=slide_paths(inputs.labels, among=untracked["slides"]),
        folds=inputs.groups,
        hard=dict(zip(parts, inputs.hard, strict=True)) if inputs.hard else {},
        copies=tracked["hard"]["copies"] if tracked["hard"] else 0,
        **tracked["settings"],
        seed=tracked["seed"],
        memory=int(untracked["memory"] * 2**30),
        threads=snakemake.threads,
        on_bad_slide=tracked["on_bad_slide"],
        sheet=untracked["sheet"],
        origin=origin(tracked["revision"]),
    )
