"""Fit the SVMs of patches: for every part its inner models and its own, for every C."""

<<<<<<< HEAD
from slidecaf.files.manifests import slide_paths
=======
from pathlib import Path

>>>>>>> steps
from slidecaf.files.versions import origin
from slidecaf.logs import job
from slidecaf.segmentation.training import fit_parts

<<<<<<< HEAD
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
        origin=origin(tracked["revision"]),
=======
params, inputs = snakemake.params, snakemake.input
with job(snakemake.log[0]):
    hard = {Path(path).parent.name: path for path in inputs.hard[:-1]}
    fit_parts(
        {Path(path).parent.name: path for path in snakemake.output},
        features={Path(path).stem: path for path in inputs.features},
        labels={Path(path).stem: path for path in inputs.labels},
        folds=inputs.folds,
        hard={**hard, "final": inputs.hard[-1]} if inputs.hard else {},
        copies=params.hard["copies"] if params.hard else 0,
        **params.settings,
        seed=params.seed,
        memory=int(params.memory * 2**30),
        threads=snakemake.threads,
        on_bad_slide=params.on_bad_slide,
        origin=origin(params.code),
>>>>>>> steps
    )
