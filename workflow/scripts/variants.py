"""Compare the scores before and after retraining with hard examples, slide by slide."""

from slidecaf.files.tables import read_json, read_tsv, write_json
from slidecaf.logs import job
from slidecaf.scores.paired import compare_scores

with job(snakemake.log[0]):
    rows = read_tsv(snakemake.input.slides)
    compared = {}
    for part, split in (("leave_one_out", "train"), ("test", "test")):
        of = [
            {row["slide"]: row for row in rows if (row["variant"], row["split"]) == (variant, split) and row["score"]}
            for variant in ("hard", "plain")
        ]
        slides = sorted(of[0])
        compared[part] = (
            compare_scores(
                *([float(own[slide]["score"]) for slide in slides] for own in of),
                [of[0][slide]["patient"] for slide in slides],
                names=("hard", "plain"),
                seed=snakemake.params.seed,
            )
            if slides
            else None
        )
    write_json(snakemake.output[0], {**compared, "hard_examples": read_json(snakemake.input.hard)})
