"""The slides that a job works on, and their files."""

from collections.abc import Callable, Collection, Mapping, Sequence

from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.sheets import Row

Choice = Collection[str] | Callable[[Wildcards], Collection[str]]
"""Some slides of the study, or a function of a job's wildcards that gives them."""


class Slides:
    """The slides of a study, as jobs share them.

    Parameters
    ----------
    rows : mapping of str to slidecaf.study.sheets.Row
        Slide to its row.
    batches : mapping of int to sequence of str
        The slides of each batch.
    shards : mapping of str to mapping of int to sequence of str
        Feature set of whole images to the slides of each shard.
    made : collection of str
        Paths of slides and masks that the workflow draws itself.
    """

    def __init__(
        self,
        rows: Mapping[str, Row],
        batches: Mapping[int, Sequence[str]],
        shards: Mapping[str, Mapping[int, Sequence[str]]],
        made: Collection[str] = (),
    ):
        self._rows, self._batches, self._shards, self._made = rows, batches, shards, made

    def of_job(self, slides: Choice) -> Callable[[Wildcards], list[str]]:
        """Return a function: those of some slides that a job works on.

        Parameters
        ----------
        slides : collection of str, or callable
            Of a job of a batch looked up slide by slide: a set is quick.

        Returns
        -------
        callable
            Wildcards to slides: all of a job's shard; those in its batch; of a job that has neither, all.
        """
        fixed = None if callable(slides) else (list(slides), frozenset(slides))

        def own(wildcards):
            if hasattr(wildcards, "shard"):
                return self._shards[wildcards.features][int(wildcards.shard)]
            listed, among = fixed or (slides(wildcards),) * 2
            if hasattr(wildcards, "batch"):
                return [slide for slide in self._batches[int(wildcards.batch)] if slide in among]
            return list(listed)

        return own

    def each(self, slides: Choice, value: Callable[[str, Wildcards], object]) -> Callable[[Wildcards], dict]:
        """Return a function: slide to a value, of those of some slides that a job works on.

        Parameters
        ----------
        slides : collection of str, or callable
            As for `of_job`.
        value : callable
            A slide and wildcards to the slide's value.

        Returns
        -------
        callable
        """
        own = self.of_job(slides)
        return lambda wildcards: {slide: value(slide, wildcards) for slide in own(wildcards)}

    def paths(self, slides: Choice) -> Callable[[Wildcards], dict[str, str]]:
        """Return a function: slide to file, of those of some slides that a job works on.

        Parameters
        ----------
        slides : collection of str, or callable
            As for `of_job`.

        Returns
        -------
        callable
        """
        return self.each(slides, lambda slide, wildcards: self._rows[slide].path)

    def drawn(self, files: Callable[[Wildcards], Mapping]) -> Callable[[Wildcards], list[str]]:
        """Return an input function: of some files those that the workflow draws.

        All others are there before a plan is made, and count by their digests.

        Parameters
        ----------
        files : callable
            Wildcards to a mapping whose values are paths, such as `paths` returns.

        Returns
        -------
        callable
        """
        return lambda wildcards: [path for path in files(wildcards).values() if path in self._made]

    def where(self, slides: Choice, pattern: str | Callable[[Wildcards], str]) -> Callable[[Wildcards], list[str]]:
        """Return an input function: a file, where a job works on some of these slides; otherwise nothing.

        Parameters
        ----------
        slides : collection of str, or callable
            As for `of_job`.
        pattern : str or callable
            From the layout, or a function of wildcards that gives the path.

        Returns
        -------
        callable
        """
        own = self.of_job(slides)

        def files(wildcards):
            path = pattern(wildcards) if callable(pattern) else pattern.format(**wildcards)
            return [path] if own(wildcards) else []

        return files
