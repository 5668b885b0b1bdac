"""Params of jobs: what their results depend on, and what they need to know beside it.

Every rule has two: ``tracked``, a change of which runs the job again, and ``untracked``, which reruns nothing.
"""

from collections.abc import Callable, Collection, Mapping

from slidecaf.files.manifests import Token
from slidecaf.running.jobs.slides import Choice, Slides
from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.kinds import ClassificationKind
from slidecaf.study.layout import Layout
from slidecaf.study.steps import made_by

UNUSED = object()
"""In place of a value that a job does not depend on: what came later reruns nothing of before."""


def tracked(
    step: str,
    *,
    kind: Callable[[Wildcards], ClassificationKind | None] = lambda wildcards: None,
    libraries: Callable[[Wildcards], Collection[str]] = lambda wildcards: (),
    **named: object,
) -> Callable[[Wildcards], dict]:
    """Return a params function: all that a job's results depend on beside its inputs.

    It is one mapping by name, since Snakemake compares the set of params without their names.

    Parameters
    ----------
    step : str
        The rule, of `slidecaf.study.steps.STEPS`: the revisions of the packages that it runs and the versions of its
        libraries are among what is returned.
    kind : callable, optional
        Wildcards to the kind of the method, where the rule is one of all kinds.
    libraries : callable, optional
        Wildcards to libraries that this job alone needs.
    **named : object
        Values, or functions of wildcards that give them; one that is `UNUSED` is left out.

    Returns
    -------
    callable
    """
    return lambda wildcards: {**_values(named, wildcards), **made_by(step, kind(wildcards), libraries(wildcards))}


def untracked(**named: object) -> Callable[..., dict]:
    """Return a params function of values that rerun nothing; naming `output` keeps them out of what does.

    Parameters
    ----------
    **named : object
        As for `tracked`.

    Returns
    -------
    callable
    """
    return lambda wildcards, output: _values(named, wildcards)


def _values(named, wildcards):
    values = {name: value(wildcards) if callable(value) else value for name, value in named.items()}
    return {name: value for name, value in values.items() if value is not UNUSED}


class SlideParams:
    """Params of jobs that work on slides, each apart.

    Parameters
    ----------
    slides : Slides
    layout : slidecaf.study.layout.Layout
    look : bool
        Whether to look for files that are gone or differ from their manifest: a plan does, a job of its own does not.
    reading : mapping of str to object
        What every job needs to know that opens slides.
    """

    def __init__(self, slides: Slides, layout: Layout, *, look: bool, reading: Mapping[str, object]):
        self._slides, self._layout, self._look, self._reading = slides, layout, look, reading

    def tracked_batch(
        self,
        step: str,
        pattern: str,
        slides: Choice,
        *,
        own: Callable[[str, Wildcards], dict] = lambda slide, wildcards: {},
        **named: object,
    ) -> Callable[[Wildcards], dict]:
        """Return a params function: what the files of a batch's slides depend on beside inputs, slide by slide.

        Parameters
        ----------
        step : str
        pattern : str
            Of the slides' files, from the layout.
        slides : collection of str, or callable
            As for `Slides.of_job`.
        own : callable, optional
            A slide and wildcards to what its file alone depends on.
        **named : object
            As for `tracked`, with ``kind`` and ``libraries``.

        Returns
        -------
        callable
            Wildcards to ``slides``, ``settings``, and ``token``, which changes where files of the batch are gone or
            differ from their manifest.
        """
        settings, by_slide, manifest = (
            tracked(step, **named),
            self._slides.each(slides, own),
            self._layout.batch(pattern),
        )

        def params(wildcards):
            token = Token(manifest.format(**wildcards))
            return {
                "slides": by_slide(wildcards),
                "settings": settings(wildcards),
                "token": token.look() if self._look else token.text,
            }

        return params

    def reading(self, slides: Choice, **named: object) -> Callable[..., dict]:
        """Return a params function of what a job that reads slides needs to know, and of more; it reruns nothing.

        Parameters
        ----------
        slides : collection of str, or callable
            As for `Slides.of_job`.
        **named : object
            As for `tracked`.

        Returns
        -------
        callable
        """
        return untracked(paths=self._slides.paths(slides), **self._reading, **named)
