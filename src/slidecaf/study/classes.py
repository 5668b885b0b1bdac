"""The classes of a sheet as a study takes them: codes cut at a depth, rare classes left out."""

from collections import Counter
from dataclasses import replace

from slidecaf.errors import InputErrors

SEPARATOR = "-"
"""Between the parts of a hierarchical code, such as 1121-127-700-500."""


def cut_labels(rows, depth, *, source) -> list:
    """Cut the labels of rows, hierarchical codes, at a depth.

    Parameters
    ----------
    rows : list of slidecaf.study.sheets.Row
    depth : int or None
        How many parts are kept; None leaves labels as they are.
    source : path-like
        The sheet, for errors.

    Returns
    -------
    list of slidecaf.study.sheets.Row

    Raises
    ------
    InputErrors
        With every label that has fewer parts.

    Examples
    --------
    >>> from slidecaf.study.sheets import Row
    >>> row = Row(2, "a", "a.png", "p", "train", None, None, label="1121-127-700-500")
    >>> cut_labels([row], 2, source="sheet.tsv")[0].label
    '1121-127'
    """
    if depth is None:
        return rows
    parts = {row.label: row.label.split(SEPARATOR) for row in rows}
    problems = [
        f"row {row.number}, column label: {row.label!r} has {_counted(len(parts[row.label]))} between {SEPARATOR!r}, "
        f"and classification.label_depth keeps {depth}; write a smaller label_depth, or the whole code."
        for row in rows
        if row.label and len(parts[row.label]) < depth
    ]
    if problems:
        raise InputErrors(source, problems)
    return [replace(row, label=SEPARATOR.join(parts[row.label][:depth])) for row in rows]


def _counted(parts):
    return f"{parts} part{'s' * (parts > 1)}"


def drop_rare(rows, least, *, source) -> tuple[list, list, dict]:
    """Leave out the rows of classes that have too few, of training and test rows together.

    Parameters
    ----------
    rows : list of slidecaf.study.sheets.Row
    least : int or None
        Rows that a class has to have; None keeps every class.
    source : path-like
        The sheet, for errors.

    Returns
    -------
    kept : list of slidecaf.study.sheets.Row
        Those without a label too.
    dropped : list of slidecaf.study.sheets.Row
    classes : dict of str to int
        Class that is left out, by name, to its rows.

    Raises
    ------
    InputErrors
        If fewer than two classes would be left.
    """
    if least is None:
        return rows, [], {}
    counts = Counter(row.label for row in rows if row.label)
    rare = {label: counts[label] for label in sorted(counts) if counts[label] < least}
    left = [label for label in sorted(counts) if label not in rare]
    if rare and len(left) < 2:
        listed = ", ".join(f"{label} {count}" for label, count in counts.most_common(5))
        more = f" and {len(counts) - 5} more classes" if len(counts) > 5 else ""
        raise InputErrors(
            source,
            [
                f"classification.min_images: {least} leaves {f'one class, {left[0]}' if left else 'no class'}, and two "
                f"are needed; the sheet has {listed}{more}. Lower min_images, or add images."
            ],
        )
    return (
        [row for row in rows if row.label not in rare],
        [row for row in rows if row.label in rare],
        rare,
    )
