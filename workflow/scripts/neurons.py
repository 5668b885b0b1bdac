"""Show the patches that activate the neurons with the largest weights of the final model most (Figure 5)."""

from slidecaf.classification.kinds import sets_read
from slidecaf.classification.neurons import write_neurons
from slidecaf.logs import job
from slidecaf.slides import Limits

inputs, untracked = snakemake.input, snakemake.params.untracked
with job(snakemake.log[0]):
    write_neurons(
        snakemake.output.figure,
        snakemake.output.table,
        model=inputs.model,
        features=sets_read(inputs.features, among=untracked["slides"]),
        slides=untracked["slides"],
        limits=Limits.from_config(untracked["limits"]),
        caveats=snakemake.params.tracked["caveats"],
    )
