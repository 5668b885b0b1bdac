"""Show the patches that activate the neurons with the largest weights of the final model most (Figure 5)."""

from slidecaf.classification.neurons import write_neurons
from slidecaf.files.manifests import paths_by_set
from slidecaf.logs import job
from slidecaf.slides import Limits

<<<<<<< HEAD
inputs, untracked = snakemake.input, snakemake.params.untracked
with job(snakemake.log[0]):
    write_neurons(
        snakemake.output.figure,
        snakemake.output.table,
        model=inputs.model,
        features=paths_by_set(inputs.features, among=untracked["slides"]),
        slides=untracked["slides"],
        limits=Limits.from_config(untracked["limits"]),
        caveats=snakemake.params.tracked["caveats"],
=======
from slidecaf.classification.neurons import write_neurons
from slidecaf.logs import job
from slidecaf.slides import Limits

params, output = snakemake.params, snakemake.output
with job(snakemake.log[0]):
    features = {}
    for path in map(Path, snakemake.input.features):
        features.setdefault(path.parent.name, {})[path.stem] = path
    write_neurons(
        output.figure,
        output.table,
        model=snakemake.input.model,
        features=features,
        slides=params.slides,
        limits=Limits.from_config(params.limits),
        caveats=params.caveats,
>>>>>>> steps
    )
