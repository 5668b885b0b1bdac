"""Let a part's model decide on slides that it never saw: the fold's held-out rows, or the test rows."""

from pathlib import Path

from slidecaf.classification.svm import LinearSVM, predicted_classes
from slidecaf.classification.vectors import PooledVectors, held_out_slides
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.logs import job
from slidecaf.pooling.norms import parse_norm

with job(snakemake.log[0]):
    stored = read_json(snakemake.input.model)
    name, norm, model = stored["features"], parse_norm(stored["norm"]), LinearSVM.from_dict(stored)
    paths = [path for path in snakemake.input.pooled if Path(path).parent.name == name]
    part = snakemake.wildcards.part
    held_out = held_out_slides(read_tsv(snakemake.input.folds), part)
    slides = held_out if part != "final" else sorted(Path(path).stem for path in paths)
    vectors = PooledVectors(paths, slides=slides, norms=[norm], on_bad_slide=snakemake.params.on_bad_slide)
    columns = ["confidence"] if len(model.classes) == 2 else [f"confidence_{label}" for label in model.classes]
    table = {
        slide: {"slide": slide, "patches": vectors.patches[name, slide], "status": vectors.status[name, slide]}
        for slide in slides
    }
    usable = vectors.usable(slides)
    if usable:
        confidence = model.decision(vectors.matrix(name, norm, usable)[:, stored["selection"]])
        predicted = predicted_classes(confidence, model.classes)
        for slide, label, values in zip(usable, predicted, confidence.reshape(len(usable), -1), strict=True):
            table[slide] |= {"predicted": str(label), **dict(zip(columns, values, strict=True))}
    write_tsv(snakemake.output[0], ["slide", "predicted", *columns, "patches", "status"], table.values())
