"""Ids of slides made of file names."""

import re

from slidecaf.study.spellings import MISSING, ROUNDED, plain


def slide_ids(paths) -> list[str]:
    """Make ids of file names: letters, digits, '.', '_' and '-', each id once.

    Parameters
    ----------
    paths : list of pathlib.Path

    Returns
    -------
    list of str
        Of names that are equal, or differ in case only, the second has ``-2`` behind it, and so on. A name that a
        sheet would read as a missing value or a rounded number has ``slide-`` before it.

    Examples
    --------
    >>> from pathlib import Path
    >>> slide_ids([Path("a/x 1.png"), Path("b/x 1.png")])
    ['x-1', 'x-1-2']
    """
    ids, seen, numbers = [], set(), {}
    for path in paths:
        stem = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)).lstrip("._-")[:120] or "slide"
        if stem.casefold() in MISSING or ROUNDED.fullmatch(stem):
            stem = f"slide-{stem}"
        name, alike = stem, plain(stem)
        while plain(name) in seen:
            numbers[alike] = numbers.get(alike, 1) + 1
            name = f"{stem}-{numbers[alike]}"
        seen.add(plain(name))
        ids.append(name)
    return ids
