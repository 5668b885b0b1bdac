"""What jobs that learn ask of a cluster, by what their method's kind reads, or what fits their SVMs."""

from collections.abc import Callable, Mapping
from math import ceil

from slidecaf.running.demands import Demands, demands_where
from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.config import feature_sets, patch_sets
from slidecaf.study.tasks import ClassificationTask

IMAGES, PATCHES = 10, 50
"""A second that a network learns from, and that it decides on, of a slow machine."""


class LearningDemands:
    """Resource functions of the classification's jobs.

    Parameters
    ----------
    demands : slidecaf.running.demands.Demands
    task : slidecaf.study.tasks.ClassificationTask
    threads : int
        Of the config.
    """

    def __init__(self, demands: Demands, task: ClassificationTask, threads: int):
        self._demands, self._task, self._threads = demands, task, threads

    def held(self, wildcards: Wildcards) -> float:
        """Return how many patches a classifier holds to learn from; none where its kind reads no patches."""
        method = self._task.methods[wildcards.method]
        slides = self._task.train if method.about.reads == "features" else []
        return sum(self._demands.patches(slide, name) for slide in slides for name in feature_sets(method))

    def threads(self, wildcards: Wildcards) -> int:
        """Return the threads of a classifier: those of the config where its kind does not read pooled vectors."""
        return 1 if self._task.methods[wildcards.method].about.reads == "pooled" else self._threads

    def minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Return the minutes that a network is trained for at most."""
        method = self._task.methods[wildcards.method]
        images = len(self._task.train) * method.epochs * method.candidates * method.stages
        images *= method.patches_per_slide if method.patches_of else 1
        return attempt * ceil(30 + images / IMAGES / 60)

    def deciding_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Return the minutes that a network takes at most for images, or for all patches of slides."""
        return self._judging(self._task.decided_slides(wildcards.part), wildcards, attempt)

    def heatmap_minutes(self, wildcards: Wildcards, attempt: int) -> int:
        """Return the minutes that a network takes at most for all patches of a batch's slides."""
        return self._judging(self._demands.slides(wildcards), wildcards, attempt)

    def _judging(self, slides, wildcards, attempt):
        method = self._task.methods[wildcards.method]
        patches = sum(self._demands.patches(slide, name) for slide in slides for name in patch_sets(method))
        return attempt * ceil(30 + 0.01 * len(slides) + patches / PATCHES / 60)


def fitting_demands(
    methods: Mapping[str, object], extraction: Mapping[str, object], partition: str | None
) -> dict[str, Callable[[Wildcards], object]]:
    """Return what jobs that fit SVMs of patches ask for beside memory and time.

    Parameters
    ----------
    methods : mapping of str to slidecaf.study.config.Settings
        Those of the segmentation.
    extraction : mapping of str to object
        What jobs with a network ask for, from `slidecaf.running.demands.extraction_demands`.
    partition : str or None
        Where all other jobs run, as the profile has it.

    Returns
    -------
    dict of str to callable
        Wildcards to the same as `extraction` of a method whose SVMs torch fits, and to no GPU of others; nothing where
        no method has torch do it, so that a plan says of others what it always said.
    """

    def by_torch(method):
        return getattr(methods[method], "solver", None) == "torch"

    if not any(map(by_torch, methods)):
        return {}
    return demands_where(lambda wildcards: by_torch(wildcards.method), extraction, partition)
