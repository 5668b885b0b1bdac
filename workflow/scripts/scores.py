"""Put predictions beside labels and score them."""

from pathlib import Path

import numpy as np

from slidecaf.files.tables import read_tsv, write_json, write_tsv
from slidecaf.logs import job
from slidecaf.scores.classification import classification_scores

params = snakemake.params
with job(snakemake.log[0]):
    fold_of = {row["slide"]: row["fold"] for row in read_tsv(snakemake.input.folds)}
    by_slide = {row["slide"]: row for row in params.rows}
    columns = ["confidence"] if len(params.classes) == 2 else [f"confidence_{label}" for label in params.classes]
    table = []
    for path in snakemake.input.decisions:
        split = "test" if Path(path).parent.name == "final" else "cv"
        for decided in read_tsv(path):
            row = by_slide[decided["slide"]]
            known = {"patient": row["patient"], "label": row["label"], "split": split}
            table.append({**decided, **known, "fold": fold_of.get(decided["slide"], "")})
    table.sort(key=lambda row: (row["split"], row["slide"]))
    header = ["slide", "patient", "split", "fold", "label", "predicted", *columns, "patches", "status"]
    write_tsv(snakemake.output.predictions, header, table)

    def score(rows):
        """Score rows with a label; None where there is none."""
        if not rows:
            return None
        confidence = np.array([[float(row[column] or "nan") for column in columns] for row in rows])
        return classification_scores(
            [row["label"] for row in rows],
            [row["predicted"] for row in rows],
            confidence[:, 0] if len(columns) == 1 else confidence,
            classes=params.classes,
            patients=[row["patient"] for row in rows],
            folds=[row["fold"] for row in rows] if rows[0]["split"] == "cv" else None,
            seed=params.seed,
        )

    labelled = [row for row in table if row["label"]]
    write_json(
        snakemake.output.scores,
        {
            "method": snakemake.wildcards.method,
            "classes": params.classes,
            "group_name": params.group_name,
            "caveats": params.caveats,
            "cross_validation": score([row for row in labelled if row["split"] == "cv"]),
            "test": score([row for row in labelled if row["split"] == "test"]),
        },
    )
