"""Words of a sheet that stand for nothing, or for one thing in two spellings: they would pass for classes, patients."""

import re
import unicodedata

MISSING = {"nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "-", "--", "?", "."}
"""What programs and people write where a value is missing."""

ROUNDED = re.compile(r"\d(\.\d+)?E\+\d+", re.IGNORECASE)
"""A long number of a spreadsheet that shows, and saves, its first digits only."""

SHOWN = 5
"""Rows named in an error."""


def plain(text) -> str:
    """Return a text as it is without what one does not see or means: case, kinds of space, a spreadsheet's ``.0``.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> plain("Low  Grade") == plain("low grade")
    True
    >>> plain("1.0")
    '1'
    """
    seen = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    words = " ".join(seen.casefold().split())
    return re.sub(r"^(-?\d+)\.0+$", r"\1", words)


def check_spellings(rows, column) -> list:
    """Find cells that stand for nothing, and those that mean the same and are spelled in two ways.

    Parameters
    ----------
    rows : list of Row
    column : {"label", "patient"}

    Returns
    -------
    list of str
        Problems, each with its rows.
    """
    problems, spellings = [], {}
    of_text = {}
    for row in rows:
        if text := getattr(row, column):
            of_text.setdefault(text, []).append(row.number)
    for text, numbers in of_text.items():
        if text.casefold() in MISSING:
            way = "leave the cell of a test row empty, or take the row out" if column == "label" else "write who it is"
            problems.append(
                f"{_rows(numbers)}, column {column}: {text!r} says that the value is missing; {way}. If it is meant, "
                "write another word."
            )
        elif ROUNDED.fullmatch(text):
            problems.append(
                f"{_rows(numbers)}, column {column}: {text!r} is a long number that a spreadsheet has rounded; set the "
                "column to text there, and write it anew."
            )
        else:
            spellings.setdefault(plain(text), []).append(text)
    for same in spellings.values():
        if len(same) > 1:
            listed = ", ".join(f"{text!r} in {_rows(of_text[text])}" for text in same)
            problems.append(f"column {column}: {listed} differ in case or space only; write them alike.")
    return problems


def _rows(numbers):
    listed = ", ".join(map(str, numbers[:SHOWN])) + (
        f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    )
    return f"row{'s' * (len(numbers) > 1)} {listed}"
