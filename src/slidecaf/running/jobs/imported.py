"""Jobs that take patches and features from another program's files."""

from collections.abc import Iterable, Mapping

from slidecaf.running.jobs.digests import Digests
from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.config import ImportedFeatures
from slidecaf.study.imported import ImportedSet
from slidecaf.study.sheets import Row


class ImportedSets:
    """The feature sets that another program computed.

    Methods take the wildcards of a job, which name its feature set.

    Parameters
    ----------
    settings : mapping of str to slidecaf.study.config.ImportedFeatures
        Of each, by name.
    rows : iterable of slidecaf.study.sheets.Row
    digests : Digests
    """

    def __init__(self, settings: Mapping[str, ImportedFeatures], rows: Iterable[Row], digests: Digests):
        rows = list(rows)
        self._sets = {name: ImportedSet(own, rows) for name, own in settings.items()}
        self._digests = digests

    def files(self, slide: str, wildcards: Wildcards) -> list[str]:
        """Return the files of a slide, features first; they may be missing."""
        return self._sets[wildcards.features].files(slide)

    def digests(self, slide: str, wildcards: Wildcards) -> dict:
        """Return what the patches and features of a slide depend on: an empty digest stands for a missing file."""
        files = self.files(slide, wildcards)
        return {**self._digests.slide(slide), "files": [self._digests.file(path) for path in files]}

    def described(self, wildcards: Wildcards) -> dict:
        """Return the format, and the name of the folder: where that lies changes no result."""
        return self._sets[wildcards.features].described

    def first(self, wildcards: Wildcards) -> str:
        """Return the first features file that is there, to which the others are held; empty where none is."""
        return self._sets[wildcards.features].first
