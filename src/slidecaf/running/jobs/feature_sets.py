"""Jobs that make the features of slides: where their patches are, and what turns them into vectors."""

from collections.abc import Callable
from functools import cache, cached_property

from slidecaf.running.jobs.digests import Digests
from slidecaf.running.jobs.params import UNUSED
from slidecaf.running.jobs.slides import Slides
from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.checked import Study
from slidecaf.study.config import FeatureSettings
from slidecaf.study.names import is_timm, split_part
from slidecaf.study.targets import Targets

FEW = 8
"""Jobs that may fail for one wrong layer; of these each looks at its network itself."""


class FeatureSets:
    """The feature sets of a study, by the names under which they are computed.

    Methods take the wildcards of a job, which name its feature set, or the method of the segmentation whose it is.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
    targets : slidecaf.study.targets.Targets
    slides : Slides
    digests : Digests
    """

    def __init__(self, study: Study, targets: Targets, slides: Slides, digests: Digests):
        self._study, self._targets, self._digests = study, targets, digests
        self._sets, self._rows = study.feature_sets, study.slides
        # sets, made once a plan: every job asks for them; of a set that no method uses, and that is asked for by name,
        # all slides
        self._slides = {name: frozenset(study.tiled_slides(name) or self._rows) for name in self._sets}
        self._kept = {name: frozenset(study.slides_with_features(name) or self._rows) for name in self._sets}
        self._of_job, self._first = slides.of_job(self.slides), cache(self._first_manifest)

    @cached_property
    def imported(self) -> list[str]:
        """Those that another program computed."""
        return [name for name, one in self._sets.items() if one.kind == "imported"]

    @cached_property
    def whole(self) -> list[str]:
        """Those of whole images: these have shards, all others tiles and batches."""
        return [name for name, one in self._sets.items() if one.is_whole]

    @cached_property
    def tiled(self) -> list[str]:
        """Those of patches that are computed here."""
        return [name for name in self._sets if name not in {*self.imported, *self.whole}]

    @cached_property
    def networks(self) -> list[str]:
        """Those that a network computes."""
        return [name for name, one in self._sets.items() if one.kind == "network"]

    @cached_property
    def patchwise(self) -> list[str]:
        """Those of patches that a network computes."""
        return [name for name in self.networks if name in self.tiled]

    @cached_property
    def manual(self) -> list[str]:
        """Those of patches that no network computes."""
        return [name for name in self.tiled if name not in self.networks]

    def name(self, wildcards: Wildcards) -> str | None:
        """Return the feature set that a job is about; None where the method needs none."""
        if "features" in wildcards.keys():  # noqa: SIM118  a list of values, with names
            return wildcards.features
        return self._targets.segmentation.features(wildcards.method)

    def of(self, wildcards: Wildcards) -> FeatureSettings:
        """Return the settings of a job's feature set."""
        return self._sets[self.name(wildcards)]

    def slides(self, wildcards: Wildcards) -> frozenset[str]:
        """Return the slides whose patches a feature set has."""
        return self._slides[wildcards.features]

    def kept(self, wildcards: Wildcards) -> frozenset[str]:
        """Return the slides whose features are kept in a file."""
        return self._kept[wildcards.features]

    def regions(self, wildcards: Wildcards) -> dict[str, str]:
        """Return slide to the file of its region of interest, of the job's slides that have one."""
        return {slide: self._rows[slide].roi for slide in self._of_job(wildcards) if self._rows[slide].roi}

    def tiled_from(self, slide: str, wildcards: Wildcards) -> dict:
        """Return what the patches of a slide depend on: also its region of interest, where it has one."""
        own, region = self._digests.slide(slide), self._rows[slide].roi
        return own | {"roi": self._digests.file(region, whole=True)} if region else own

    def dense_tiling(self, wildcards: Wildcards) -> dict | None:
        """Return a feature set's tiling where its stride has to suit the network."""
        chosen = self.of(wildcards)
        return chosen.tiling.given() if chosen.extraction == "dense" else None

    def settings(self, wildcards: Wildcards) -> dict:
        """Return what features come of; which files are kept, and how many, reruns nothing."""
        return {key: value for key, value in self.of(wildcards).given().items() if key not in ("store", "shards")}

    def libraries(self, wildcards: Wildcards) -> tuple[str, ...]:
        """Return the libraries of a feature set alone: only who uses timm computes anew with another version of it."""
        chosen = self.of(wildcards)
        by_timm = chosen.kind == "network" and is_timm(chosen.encoder.model)
        return (*(("timm",) if by_timm else ()), *hair_library(chosen))

    def network(self, wildcards: Wildcards) -> str | list:
        """Return the network that a method trains for a set's part; nothing where its weights are from elsewhere."""
        name, fold = split_part(wildcards.features)
        method = self._study.config.features[name].trained_by
        return self._targets.layout.network.format(method=method, part=fold or "final") if method else []

    def weights(self, wildcards: Wildcards) -> str:
        """Return the digest of a weights file; nothing of weights that have a name or a seed, or are an input."""
        encoder = self.of(wildcards).encoder
        return "" if self.network(wildcards) else self._digests.weights(encoder.weights, encoder.model)

    def first_manifest(self, wildcards: Wildcards) -> list[str]:
        """Return the first manifest of a network's features, by which it is described.

        Nothing where a job of its own looks at the network before: it then fails once, and chooses one precision.
        """
        return self._first(wildcards.features)

    def _first_manifest(self, name):
        found = self._targets.manifests(self._targets.layout.features, self._kept[name], features=name)
        return [] if self._sets[name].precision == "auto" or len(found) > FEW else found[:1]

    def looked_at_first(self, wildcards: Wildcards) -> list[str]:
        """Return the description of a set's network, where a job of its own looks at it before any slide."""
        return [] if self.first_manifest(wildcards) else [self._targets.layout.encoder.format(**wildcards)]

    def stain_target(self, wildcards: Wildcards) -> dict | None:
        """Return what slides are made to look like; None where colours are left as they are."""
        return self._study.stain_target(self.name(wildcards))

    def stain(self, wildcards: Wildcards) -> dict | object:
        """Return what features depend on of it."""
        target = self.stain_target(wildcards)
        if target is None:
            return UNUSED
        return {"digest": self._digests.file(target["path"]), "mpp": target["mpp"], "scene": target["scene"]}

    def with_target(self, files: Callable[[Wildcards], dict[str, str]]) -> Callable[[Wildcards], dict[str, str]]:
        """Return a function: slides' files, and under an empty name that of what they are made to look like."""

        def both(wildcards):
            target = self.stain_target(wildcards)
            return files(wildcards) | ({"": target["path"]} if target else {})

        return both


def hair_library(settings: FeatureSettings) -> tuple[str, ...]:
    """Return the library that draws over hair, of a feature set or a method that asks for it.

    Parameters
    ----------
    settings : slidecaf.study.config.Settings
        With ``image``.

    Returns
    -------
    tuple of str
    """
    return ("scipy",) if settings.image.hair_removal else ()
