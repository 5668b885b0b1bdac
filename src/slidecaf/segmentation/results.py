"""The segmentation's tables: the scores of slides, their means, and variants compared."""

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.scores.paired import compare_scores, wilcoxon_paired
from slidecaf.scores.segmentation import segmentation_scores
from slidecaf.study.kinds import SEGMENTATION_KINDS

COLUMNS = (
    *("slide", "patient", "split", "variant", "score", "precision", "recall", "soft_score"),
    *("C", "smooth", "threshold", "min_object", "max_hole", "predicted_pixels", "true_pixels", "area", "status"),
)

METHODS = (
    *("method", "kind", "variant", "n", "score", "ci_low", "ci_high", "difference", "p"),
    *("seconds", "memory_gib", "note"),
)
"""Columns of the table of methods."""

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


def write_methods(path, methods, *, slides, scores, costs) -> None:
    """Set methods and their variants side by side: each with its mean score, and paired with the first.

    Parameters
    ----------
    path : path-like
        The table that is written, a row a method and variant: method, kind, variant, n, score (the mean over left-out
        slides), ci_low and ci_high (bootstrap over patients; empty for one patient), difference (to the mean score of
        the first row) and p (Wilcoxon, paired with the first row), both empty for the first, seconds and memory_gib (as
        measured), note.
    methods : dict of str to dict
        Method to its ``kind`` and ``note``, in order.
    slides, scores : dict of str to path-like
        Method to ``scores.tsv`` and to ``scores.json``.
    costs : dict of str to dict of str to dict
        Method to variant to its ``seconds`` and ``memory_gib``, None where they are not known.

    Raises
    ------
    SlidecafError
        If a file is missing or damaged, or two methods were not judged on the same slides.
    """
    table, first = [], None
    for method, known in methods.items():
        rows = read_tsv(slides[method])
        for variant, of in read_json(scores[method]).items():
            row = {"method": method, "variant": variant, **known}
            if found := of["leave_one_out"]:
                low, high = found["score_ci95"] or (None, None)
                row |= {"n": found["n"], "score": found["score"], "ci_low": low, "ci_high": high}
                own = _left_out_scores(rows, variant)
                if first:
                    row |= _paired(slides[method], own, *first)
                first = first or (slides[method], own)
            table.append(row | costs[method][variant])
    write_tsv(path, METHODS, table)


def _left_out_scores(rows, variant):
    return {
        row["slide"]: float(row["score"])
        for row in rows
        if (row["variant"], row["split"]) == (variant, SPLITS["leave_one_out"]) and row["score"]
    }


def _paired(path, own, first, others):
    """Compare scores slide by slide with those of the first row."""
    if alone := sorted(own.keys() ^ others.keys()):
        raise SlidecafError(
            f"{path}: slide {alone[0]} has a score here or in {first}, and none in the other, so that the two cannot "
            "be compared; delete both files and run again."
        )
    tested = wilcoxon_paired([own[slide] for slide in others], list(others.values()))
    return {"difference": tested["mean_difference"], "p": tested["p"]}
