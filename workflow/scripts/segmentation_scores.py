"""Gather the scores of slides and average them."""

from slidecaf.files.tables import read_json, write_json, write_tsv
from slidecaf.logs import job
from slidecaf.scores.segmentation import segmentation_scores

COLUMNS = [
    *("slide", "patient", "split", "variant", "score", "precision", "recall", "soft_score"),
    *("C", "smooth", "threshold", "min_object", "max_hole", "predicted_pixels", "true_pixels", "area", "status"),
]
PARTS = {"leave_one_out": "train", "test": "test"}

params = snakemake.params
with job(snakemake.log[0]):
    row_of = {row["slide"]: row for row in params.rows}
    scored = [read_json(path) for path in snakemake.input]
    table = [{**row_of[found["slide"]], **found} for found in scored]
    table.sort(key=lambda row: (row["variant"] != "plain", row["split"] != "train", row["slide"]))
    write_tsv(snakemake.output.slides, COLUMNS, table)
    scores = {}
    for variant in dict.fromkeys(row["variant"] for row in table):
        scores[variant] = {}
        for part, split in PARTS.items():
            rows = [row for row in table if (row["variant"], row["split"]) == (variant, split) and "score" in row]
            scores[variant][part] = segmentation_scores(rows, seed=params.seed) if rows else None
        scores[variant] |= {"group_name": params.group_name, "caveats": params.caveats}
    write_json(snakemake.output.scores, scores)
