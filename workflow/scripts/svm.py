"""Fit the linear SVM of a part with the candidate and the features that were chosen for it."""

from pathlib import Path

from slidecaf.classification.svm import fit_svm
from slidecaf.classification.vectors import PooledVectors, rows_of, training_slides
from slidecaf.files.tables import read_json, read_tsv, write_json
from slidecaf.logs import job
from slidecaf.pooling.norms import parse_norm

params = snakemake.params
with job(snakemake.log[0]):
    choice = read_json(snakemake.input.choice)
    chosen, kept = choice["chosen"], [int(row["feature"]) for row in read_tsv(snakemake.input.selection)]
    norm = parse_norm(chosen["norm"])
    slides = training_slides(read_tsv(snakemake.input.folds), snakemake.wildcards.part)
    slides = [slide for slide in slides if slide not in choice["left_out"]]
    rows = rows_of(params.rows, slides, params.classes)
    paths = [Path(path) for path in snakemake.input.pooled if Path(path).parent.name == chosen["features"]]
    files = {chosen["features"]: {path.stem: path for path in paths}}
    pooled = PooledVectors(files, slides=slides, norms=[norm]).matrix(chosen["features"], norm, slides)
    labels = [row["label"] for row in rows]
    model = fit_svm(pooled[:, kept], labels, C=chosen["C"], classes=params.classes, max_iter=params.max_iter)
    used = {"features": chosen["features"], "norm": chosen["norm"], "selection": kept}
    write_json(snakemake.output[0], {**used, **model.to_dict()})
