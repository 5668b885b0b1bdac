"""What has to be said wherever a method's numbers show, as the rules hand it to jobs."""

from collections.abc import Collection, Iterable

from slidecaf.study.caveats import caveats_of
from slidecaf.study.checked import Study


def said_of(
    study: Study, task: str, features: Iterable[str], made: Collection[str], own: Iterable[str] = ()
) -> list[str]:
    """Return the caveats of a method.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
    task : {"classification", "segmentation"}
    features : iterable of str
        The feature sets that the method uses, or their outputs as ``set/output``.
    made : collection of str
        Paths of slides that the demo draws.
    own : iterable of str, optional
        What the method's kind says itself.

    Returns
    -------
    list of str
        Each once; those of a model that is given stand first.
    """
    given = study.model.caveats(task) if study.model else ()
    return list(dict.fromkeys([*given, *own, *caveats_of(study.config.features, features, getattr(study, task), made)]))
