"""Jobs of the segmentation: what they read of which slides, and what their results depend on."""

from collections.abc import Callable, Collection, Iterable, Mapping

from slidecaf.running.jobs.caveats import said_of
from slidecaf.running.jobs.digests import Digests
from slidecaf.running.jobs.slides import Slides
from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.checked import Study
from slidecaf.study.kinds import settings_used, told_apart
from slidecaf.study.targets import Targets

MASKS = ("mask", "hemorrhage")
"""Columns of the sheet."""


class SegmentationJobs:
    """The jobs of the segmentation.

    Methods take the wildcards of a job, which name its method, and its variant, part or batch.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
    targets : slidecaf.study.targets.Targets
    slides : Slides
    digests : Digests
    made : collection of str
        Paths of slides and masks that the workflow draws itself.
    """

    def __init__(self, study: Study, targets: Targets, slides: Slides, digests: Digests, made: Collection[str] = ()):
        self._study, self._targets, self._digests, self._made = study, targets, digests, made
        self._task, self._layout = targets.segmentation, targets.layout
        self._of_job, self._paths = slides.of_job(self._task.rows), slides.paths(self._task.rows)
        self._test = frozenset(self._task.test)

    # What a method says.

    def settings(self, *keys: str) -> Callable[[Wildcards], dict]:
        """Return a function: some settings of a method, without those of later versions that it does not use."""
        return lambda wildcards: settings_used(self._task.methods[wildcards.method], keys)

    def libraries(self, wildcards: Wildcards) -> tuple[str, ...]:
        """Return the libraries of a method that fits its SVMs with torch, which others do not use."""
        return ("torch",) if self._task.methods[wildcards.method].solver == "torch" else ()

    def inner_folds(self, wildcards: Wildcards) -> int:
        """Return how many inner folds a method has."""
        return self._task.methods[wildcards.method].inner_folds

    def hard_settings(self, wildcards: Wildcards) -> dict | None:
        """Return the settings of the hard examples; they concern the hard variant only."""
        chosen = self._task.methods[wildcards.method].hard_examples
        return None if wildcards.get("variant") == "plain" or chosen is None else chosen.plain()

    def grid(self, wildcards: Wildcards) -> dict:
        """Return the candidates among which a part chooses: those that have maps of their own, and sizes."""
        sizes = self.settings("smooth", "min_object", "max_hole")(wildcards)
        return told_apart(self._task.methods[wildcards.method]) | sizes

    def variants(self, wildcards: Wildcards) -> list[str]:
        """Return the variants of a method."""
        return self._task.variants(wildcards.method)

    def caveats(self, wildcards: Wildcards) -> list[str]:
        """Return what has to be said wherever a method's numbers show."""
        features, own = self._task.features(wildcards.method), self._task.kind(wildcards.method).caveats
        return said_of(self._study, "segmentation", [features] if features else [], self._made, own)

    # Manifests; a pattern is one of the layout, or `cells` or `labels` for those that a method's kind has of its own.

    def _pattern(self, pattern, method):
        own = pattern in ("cells", "labels")
        return getattr(self._layout, getattr(self._task.kind(method), pattern)) if own else pattern

    def of_batch(self, pattern: str) -> Callable[[Wildcards], str]:
        """Return an input function: the batch's manifest of a method, or of its feature set."""
        return lambda wildcards: self._layout.batch(self._pattern(pattern, wildcards.method)).format(
            **{"features": self._task.features(wildcards.method), **wildcards}
        )

    def of_training(self, pattern: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: the manifests of all training slides, of a method, or of its feature set."""
        return lambda wildcards: self._targets.manifests(
            self._pattern(pattern, wildcards.method),
            self._task.train,
            features=self._task.features(wildcards.method),
            method=wildcards.method,
        )

    def maps_of(self, variant: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: a variant's maps of all training slides; ``{variant}`` is the job's."""
        return lambda wildcards: self._targets.manifests(
            self._layout.maps,
            self._task.train,
            method=wildcards.method,
            variant=variant.format(**wildcards),
        )

    def segments_of(self, variant: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: the manifests of a method's maps and masks, where it has the variant."""
        return lambda wildcards: self._targets.manifests(
            self._layout.segments,
            self._task.rows if variant in self.variants(wildcards) else [],
            method=wildcards.method,
            variant=variant,
        )

    def encoder(self, wildcards: Wildcards) -> str:
        """Return the description of the network of a method's feature set."""
        return self._layout.encoder.format(features=self._task.features(wildcards.method))

    def hard_lists(self, wildcards: Wildcards) -> list[str]:
        """Return the hard examples of every part, for the hard variant."""
        if wildcards.variant == "plain":
            return []
        of_part, final = self._layout.hard_examples_of_part, self._layout.hard_examples
        return [of_part.format(part=part, **wildcards) for part in self._task.left_out] + [final.format(**wildcards)]

    # Which models map a batch's slides, and what they map.

    def mapped_parts(self, wildcards: Wildcards) -> list[str]:
        """Return the parts that map the slides of a batch."""
        return sorted({self._task.part_of(slide) for slide in self._of_job(wildcards)})

    def mapping_parts(self, wildcards: Wildcards) -> list[str]:
        """Return the parts that have a model which maps a slide of a batch: of a test slide the final one alone."""
        own = self.mapped_parts(wildcards)
        return [part for part in self._task.parts if (part in own if part == "final" else own != ["final"])]

    def of_mapped_parts(self, pattern: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: a file of each of `mapped_parts`."""
        return lambda wildcards: [pattern.format(part=part, **wildcards) for part in self.mapped_parts(wildcards)]

    def of_mapping_parts(self, pattern: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: a file of each of `mapping_parts`."""
        return lambda wildcards: [pattern.format(part=part, **wildcards) for part in self.mapping_parts(wildcards)]

    def final_models(self, wildcards: Wildcards) -> list[str]:
        """Return the models of all training rows, one a variant."""
        pattern = self._layout.patch_models
        return [
            pattern.format(variant=variant, part="final", method=wildcards.method)
            for variant in self.variants(wildcards)
        ]

    def mapped(self, wildcards: Wildcards) -> Collection[str]:
        """Return the slides that have a maps file."""
        return self._task.rows if self._task.kind(wildcards.method).maps_test else self._task.groups

    def judged_on_the_way(self, wildcards: Wildcards) -> frozenset[str]:
        """Return the test slides that have confidences and no features file."""
        return self._test if self._task.is_fused(wildcards.method) else frozenset()

    def judged_from_features(self, wildcards: Wildcards) -> frozenset[str]:
        """Return the test slides that are mapped from a features file, by the model of all training rows."""
        other = self._task.is_fused(wildcards.method) or self._task.kind(wildcards.method).maps_test
        return frozenset() if other else self._test

    # Masks.

    def masks(self, wildcards: Wildcards) -> dict[str, dict]:
        """Return slide to its masks and where the sheet lists them, for errors."""
        return self._task.masks(self._of_job(wildcards))

    def paths(self, wildcards: Wildcards) -> Mapping:
        """Return the files of a batch's slides and of their masks, each under a name of its own."""
        masks = self.masks(wildcards).items()
        return self._paths(wildcards) | {(slide, kind): own[kind] for slide, own in masks for kind in MASKS}

    def mask_files(self) -> Iterable[str]:
        """Return the files of all masks; empty where a slide has none."""
        return [path for row in self._task.rows.values() for path in (row.mask, row.hemorrhage)]

    def mask_digests(self, slide: str, wildcards: Wildcards) -> dict[str, str]:
        """Return the digests of a slide's masks."""
        listed = self._task.masks([slide])[slide]
        return {kind: listed[kind] and self._digests.file(listed[kind], whole=True) for kind in MASKS}

    def segmented_from(self, slide: str, wildcards: Wildcards) -> dict:
        """Return what the map, mask and picture of a slide depend on."""
        own = {**self._digests.slide(slide), "part": self._task.part_of(slide)}
        return own | {"masks": self.mask_digests(slide, wildcards)}
