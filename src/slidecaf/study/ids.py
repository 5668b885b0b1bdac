"""Ids of slides made of file names."""

import re


def slide_ids(paths) -> list[str]:
    """Make ids of file names: letters, digits, '.', '_' and '-', each id once.

    Parameters
    ----------
    paths : list of pathlib.Path

    Returns
    -------
    list of str
        Of equal names the second has ``-2`` behind it, and so on.

    Examples
    --------
    >>> from pathlib import Path
    >>> slide_ids([Path("a/x 1.png"), Path("b/x 1.png")])
    ['x-1', 'x-1-2']
    """
    ids, seen, numbers = [], set(), {}
    for path in paths:
        stem = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)).lstrip("._-")[:120] or "slide"
        name = stem
        while name in seen:
            numbers[stem] = numbers.get(stem, 1) + 1
            name = f"{stem}-{numbers[stem]}"
        seen.add(name)
        ids.append(name)
    return ids
