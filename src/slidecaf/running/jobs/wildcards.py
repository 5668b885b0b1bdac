"""What Snakemake calls functions of rules with, and which of them are a rule's."""

import re
from collections.abc import Iterable
from typing import Protocol


class Wildcards(Protocol):
    """The wildcards of a job: each by its name, as an attribute and as a key, and spread out with ``**``.

    A description for types; Snakemake makes them.
    """

    def __getattr__(self, name: str) -> str:
        """Return a wildcard; AttributeError where the rule has none of the name."""

    def __getitem__(self, name: str) -> str:
        """Return a wildcard."""

    def keys(self) -> Iterable[str]:
        """Return the names."""

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a wildcard, or something else where the rule has none of the name."""


def one_of(names: Iterable[str]) -> str:
    """Return a pattern of some names: of the rules that make files of one kind, which makes theirs.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    str
        A regular expression; of no names one that nothing fits.

    Examples
    --------
    >>> one_of(["cnn", "uni"]), one_of([])
    ('cnn|uni', '(?!)')
    """
    return "|".join(map(re.escape, names)) or "(?!)"
