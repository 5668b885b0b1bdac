"""Compare the methods pair by pair on the same slides, by McNemar's exact test."""

from itertools import combinations
from pathlib import Path

from slidecaf.files.tables import read_tsv, write_json
from slidecaf.logs import job
from slidecaf.scores.paired import mcnemar_exact

with job(snakemake.log[0]):
    tables = {Path(path).parent.name: read_tsv(path) for path in snakemake.input}
    compared = []
    for first, second in combinations(tables, 2):
        for part, split in (("cross_validation", "cv"), ("test", "test")):
            right = [
                [row["predicted"] == row["label"] for row in tables[name] if row["split"] == split and row["label"]]
                for name in (first, second)
            ]
            if right[0]:
                compared.append({"first": first, "second": second, "part": part, **mcnemar_exact(*right)})
    write_json(snakemake.output[0], compared)
