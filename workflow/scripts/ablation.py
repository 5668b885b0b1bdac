"""Set the values that were tried of a method's settings side by side."""

from slidecaf.classification.ablation import write_ablation
from slidecaf.logs import job

inputs, tracked = snakemake.input, snakemake.params.tracked
with job(snakemake.log[0]):
    tried = [(*setting, path) for setting, path in zip(tracked["tried"], inputs.tried, strict=True)]
    write_ablation(snakemake.output[0], predictions=inputs.predictions[0], tried=tried, own=tracked["own"])
