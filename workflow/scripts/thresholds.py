"""Score a variant's left-out maps at many thresholds, with what else was chosen for the final model."""

from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.logs import job
from slidecaf.segmentation.choice import threshold_curve
from slidecaf.segmentation.parts import FINAL, choice_slides

inputs = snakemake.input
with job(snakemake.log[0]):
    slides = choice_slides(FINAL, read_tsv(inputs.folds), inputs.maps, inputs.labels)
    curve = threshold_curve(slides, read_json(inputs.choice)["chosen"])
    rows = [{"threshold": threshold, "score": score} for threshold, score in zip(*curve, strict=True)]
    write_tsv(snakemake.output[0], ["threshold", "score"], rows)
