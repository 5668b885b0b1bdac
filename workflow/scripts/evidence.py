"""Show the patches that speak most for and against some slides' diagnoses: the worst wrong, the surest right."""

from slidecaf.classification.evidence import write_evidence
from slidecaf.files.manifests import slide_files
from slidecaf.logs import job
from slidecaf.slides import Limits

inputs, tracked, untracked = snakemake.input, snakemake.params.tracked, snakemake.params.untracked
with job(snakemake.log[0]):
    write_evidence(
        snakemake.output.figure,
        snakemake.output.table,
        predictions=inputs.predictions,
        heatmaps={slide: file.path for slide, file in slide_files(inputs.heatmaps).items()},
        classes=tracked["classes"],
        slides=untracked["slides"],
        limits=Limits.from_config(untracked["limits"]),
        caveats=tracked["caveats"],
    )
