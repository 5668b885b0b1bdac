"""The segmentation's tables: the scores of slides, their means, and variants compared."""

from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.scores.paired import compare_scores
from slidecaf.scores.segmentation import segmentation_scores
from slidecaf.study.kinds import SEGMENTATION_KINDS

COLUMNS = (
    *("slide", "patient", "split", "variant", "score", "precision", "recall", "soft_score"),
    *("C", "smooth", "threshold", "min_object", "max_hole", "predicted_pixels", "true_pixels", "area", "status"),
)

SPLITS = {"leave_one_out": "train", "test": "test"}
"""What scores call the rows of a split."""


def write_scores(*, slides, scores, scored, rows, group_name, caveats, seed) -> None:
    """Gather the scores of a method's slides, and average them.

    Parameters
    ----------
    slides, scores : path-like
        The files that are written: ``scores.tsv``, a row a slide and variant, and ``scores.json``.
    scored : dict of str to dict of str to path-like
        Variant to slide to the slide's scores as JSON. A slide without a mask has none, and counts nowhere.
    rows : sequence of dict
        Rows of the sheet: slide, patient, split.
    group_name : str
        What a patient is called.
    caveats : sequence of str
        What has to be said wherever the numbers show.
    seed : int
        Of the bootstrap.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    row_of = {row["slide"]: row for row in rows}
    table = [{**row_of[slide], **read_json(path)} for of_slide in scored.values() for slide, path in of_slide.items()]
    table.sort(key=lambda row: (row["variant"] != "plain", row["split"] != "train", row["slide"]))
    write_tsv(slides, _columns(table), table)
    found = {}
    for variant in dict.fromkeys(row["variant"] for row in table):
        found[variant] = {}
        for part, split in SPLITS.items():
            own = [row for row in table if (row["variant"], row["split"]) == (variant, split) and "score" in row]
            found[variant][part] = segmentation_scores(own, seed=seed) if own else None
        found[variant] |= {"group_name": group_name, "caveats": caveats}
    write_json(scores, found)


def _columns(table):
    """Return the table's columns: what tells a method's models apart stands in the place of an SVM's C."""
    keys = [key for kind in SEGMENTATION_KINDS.values() for key in kind.told_by]
    told = [key for key in dict.fromkeys(keys) if any(key in row for row in table)] or ["C"]
    return [column for key in COLUMNS for column in (told if key == "C" else [key])]


def write_variants(path, *, slides, hard_examples, seed) -> None:
    """Compare the scores with hard examples and without, slide by slide.

    Parameters
    ----------
    path : path-like
        JSON that is written: for each part of the scores what `compare_scores` gives, or None; and the hard examples.
    slides : path-like
        ``scores.tsv`` of the method.
    hard_examples : path-like
        ``hard_examples.json`` of the method.
    seed : int
        Of the bootstrap.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged.
    """
    rows, compared = read_tsv(slides), {}
    for part, split in SPLITS.items():
        hard, plain = (
            {row["slide"]: row for row in rows if (row["variant"], row["split"]) == (variant, split) and row["score"]}
            for variant in ("hard", "plain")
        )
        both = sorted(hard)
        compared[part] = (
            compare_scores(
                [float(hard[slide]["score"]) for slide in both],
                [float(plain[slide]["score"]) for slide in both],
                [hard[slide]["patient"] for slide in both],
                names=("hard", "plain"),
                seed=seed,
            )
            if both
            else None
        )
    write_json(path, {**compared, "hard_examples": read_json(hard_examples)})
