"""Choose among the candidates by cross-validation inside the training rows, and select features there."""

from pathlib import Path

from slidecaf.classification.choice import choose
from slidecaf.classification.vectors import PooledVectors, rows_of, training_slides
from slidecaf.files.tables import read_tsv, write_json, write_tsv
from slidecaf.logs import job, logger
from slidecaf.pooling.norms import parse_norm

params, grid = snakemake.params, snakemake.params.method
with job(snakemake.log[0]):
    slides = training_slides(read_tsv(snakemake.input.folds), snakemake.wildcards.part)
    norms = [parse_norm(norm) for norm in grid["norm"]]
    pooled = {}
    for path in map(Path, snakemake.input.pooled):
        pooled.setdefault(path.parent.name, {})[path.stem] = path
    vectors = PooledVectors(pooled, slides=slides, norms=norms, on_bad_slide=params.on_bad_slide)
    usable = vectors.usable(slides)
    rows = rows_of(params.rows, usable, params.classes)
    labels = [row["label"] for row in rows]
    choice, fitted = choose(
        {(name, norm): vectors.matrix(name, norm, usable) for name in grid["features"] for norm in norms},
        labels,
        [row["patient"] for row in rows],
        classes=params.classes,
        grid=grid,
        inner_folds=params.inner_folds,
        seed=params.seed,
        max_iter=grid["max_iter"],
        method=snakemake.wildcards.method,
    )
    for dropped in choice["dropped"]:
        logger.warning("dropped: %s", dropped)
    logger.info("chosen: %s. %s", choice["chosen"], choice["note"])
    choice["left_out"] = sorted(set(slides) - set(usable))
    write_json(snakemake.output.choice, choice)
    write_tsv(
        snakemake.output.selection,
        ["rank", "feature", "difference"],
        [
            {"rank": rank, "feature": int(k), "difference": fitted.difference[k]}
            for rank, k in enumerate(fitted.selection, 1)
        ],
    )
