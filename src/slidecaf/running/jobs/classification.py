"""Jobs of the classification: what they read of which slides, and what their results depend on."""

from collections.abc import Callable, Collection, Iterable

from slidecaf.pooling.norms import norm_name
from slidecaf.running.jobs.caveats import said_of
from slidecaf.running.jobs.digests import Digests
from slidecaf.running.jobs.feature_sets import hair_library
from slidecaf.running.jobs.slides import Slides
from slidecaf.running.jobs.wildcards import Wildcards
from slidecaf.study.checked import Study
from slidecaf.study.config import ClassifierSettings, feature_sets, patch_sets
from slidecaf.study.kinds import ClassificationKind
from slidecaf.study.names import set_of_part, split_output
from slidecaf.study.targets import Targets


class ClassificationJobs:
    """The jobs of the classification.

    Methods take the wildcards of a job, which name its method, and its part or batch.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
    targets : slidecaf.study.targets.Targets
    slides : Slides
    digests : Digests
    made : collection of str
        Paths of slides that the workflow draws itself.
    """

    def __init__(self, study: Study, targets: Targets, slides: Slides, digests: Digests, made: Collection[str] = ()):
        self._study, self._targets, self._digests, self._made = study, targets, digests, made
        self._task, self._layout = targets.classification, targets.layout
        self._of_job = slides.of_job(self._task.rows)

    def of(self, wildcards: Wildcards) -> ClassifierSettings:
        """Return the settings of a job's method."""
        return self._task.methods[wildcards.method]

    def settings(self, wildcards: Wildcards) -> dict:
        """Return the same as the config gives them."""
        return self.of(wildcards).given()

    def kind(self, wildcards: Wildcards) -> ClassificationKind:
        """Return what has to be known of a method's kind."""
        return self.of(wildcards).about

    def kind_name(self, wildcards: Wildcards) -> str:
        """Return the entry of a method among the kinds."""
        return self.of(wildcards).way

    def caveats(self, wildcards: Wildcards) -> list[str]:
        """Return what has to be said wherever a method's numbers show."""
        return said_of(self._study, "classification", self.of(wildcards).features, self._made)

    # What a part learns from, and what it decides on.

    def decided(self, wildcards: Wildcards) -> list[str]:
        """Return the slides among which a part's decisions are: training slides of a fold, or test slides."""
        return self._task.decided_slides(wildcards.part)

    def decided_test(self, wildcards: Wildcards) -> list[str]:
        """Return the test slides that a part decides on: those of the folds are listed where folds are."""
        return self._task.test if wildcards.part == "final" else []

    def learned_from(self, wildcards: Wildcards) -> list[str] | str:
        """Return what the kind reads of the training slides: pooled or encoded vectors, or those of all patches."""
        return self._read(self._task.train, "training", wildcards)

    def decided_on(self, wildcards: Wildcards) -> list[str] | str:
        """Return what the kind reads of the slides that a part decides on."""
        return self._read(self.decided(wildcards), "left_out", wildcards)

    def _read(self, slides, rows, wildcards):
        """Return what the kind reads; of encoded rows, those learned from and those decided on have a file each."""
        reads = self.kind(wildcards).reads
        if reads == "encoded":
            return self._layout.encoded.format(rows=rows, **wildcards)
        return self._of_candidates(getattr(self._layout, reads), slides, wildcards)

    def _of_candidates(self, pattern, slides, wildcards):
        """Return the manifests of some slides, of every feature set that is a method's candidate.

        Of a set that is computed once a part they are those of the job's part.
        """
        part = wildcards.get("part", "final")
        return [
            manifest
            for features in feature_sets(self.of(wildcards))
            for manifest in self._targets.manifests(pattern, slides, features=self._as_computed(features, part))
        ]

    def _as_computed(self, features, part):
        """Return the name under which a part's features of a set lie."""
        return set_of_part(features, part) if self._study.config.features[features].trained_by else features

    def training_features(self, wildcards: Wildcards) -> list[str]:
        """Return the features of all training slides, of every candidate."""
        return self._of_candidates(self._layout.features, self._task.train, wildcards)

    def features_to_encode(self, wildcards: Wildcards) -> list[str]:
        """Return the features of the rows that are encoded: those that the part learns from, or decides on."""
        slides = self.decided(wildcards) if wildcards.get("rows") == "left_out" else self._task.train
        return self._of_candidates(self._layout.features, slides, wildcards)

    def codebooks(self, wildcards: Wildcards) -> dict:
        """Return what codebooks are: all that mixtures and encoded vectors depend on of a method's settings."""
        method = self.of(wildcards)
        return {"features": method.features} | {
            key: getattr(method.fisher, key) for key in ("pca", "components", "steps")
        }

    def encodings(self, wildcards: Wildcards) -> list[str]:
        """Return the encodings whose vectors are kept."""
        return self.of(wildcards).fisher.stored

    def encoded_test(self, wildcards: Wildcards) -> list[str]:
        """Return the test slides of the vectors that a job encodes; of others the folds say which they are."""
        return self._task.test if (wildcards.part, wildcards.rows) == ("final", "left_out") else []

    def inner_folds(self, wildcards: Wildcards) -> int | None:
        """Return how many inner folds a part wants; none where it has nothing to choose and no held-out rows."""
        several = self.of(wildcards).candidates > 1
        return self._task.setting("inner_folds") if several or wildcards.part != "final" else None

    def tiles_learned_from(self, wildcards: Wildcards) -> list[str]:
        """Return where the patches are that a network learns from; nothing for one that learns from whole images."""
        return self._tiles(self._task.train, wildcards)

    def tiles_decided_on(self, wildcards: Wildcards) -> list[str]:
        """Return where the patches are of the slides that it decides on."""
        return self._tiles(self.decided(wildcards), wildcards)

    def _tiles(self, slides, wildcards):
        return [
            manifest
            for features in patch_sets(self.of(wildcards))
            for manifest in self._targets.manifests(self._layout.tiles, slides, features=features)
        ]

    def weights(self, wildcards: Wildcards) -> str:
        """Return the digest of the weights file that a network's training begins with; nothing for other weights."""
        return self._digests.weights(self.of(wildcards).weights)

    def libraries(self, wildcards: Wildcards) -> tuple[str, ...]:
        """Return the libraries of a method that trains a network, which others do not use."""
        return hair_library(self.of(wildcards))

    def checkpoint(self, wildcards: Wildcards) -> str:
        """Return where a network lies while it is trained."""
        return self._layout.checkpoint(wildcards.method, wildcards.part)

    # Of a batch's slides.

    def scoring_parts(self, wildcards: Wildcards) -> list[str]:
        """Return the parts one of which never saw a slide of a batch: any fold of training slides, or `final`."""
        splits = {self._task.rows[slide].split for slide in self._of_job(wildcards)}
        return [part for part in self._task.parts if ("test" if part == "final" else "train") in splits]

    def of_parts(self, pattern: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: a file of each of `scoring_parts`."""
        return lambda wildcards: [
            pattern.format(method=wildcards.method, part=part) for part in self.scoring_parts(wildcards)
        ]

    def of_batch(self, pattern: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: a batch's manifest of every feature set that is a method's candidate.

        Of a network it is that of the set on whose patches it decides.
        """
        manifest = self._layout.batch(pattern)
        return lambda wildcards: [
            manifest.format(features=name, batch=wildcards.batch)
            for name in [*feature_sets(self.of(wildcards)), *patch_sets(self.of(wildcards))]
        ]

    def sets_of_batch(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """Return the manifests that a batch's slides are in, by candidate, as each part that scores them reads it."""
        used, slides = feature_sets(self.of(wildcards)), self._of_job(wildcards)
        named = {self._as_computed(name, part) for name in used for part in self.scoring_parts(wildcards)}
        return {name: self._targets.manifests(self._layout.features, slides, features=name) for name in sorted(named)}

    def features_of_batch(self, wildcards: Wildcards) -> list[str]:
        """Return these manifests one after the other."""
        return [path for listed in self.sets_of_batch(wildcards).values() for path in listed]

    def mapped_from(self, slide: str, wildcards: Wildcards) -> dict:
        """Return what a slide's map depends on beside models and features: its file, and its mask."""
        mask = self._task.rows[slide].mask
        return {**self._digests.slide(slide), "mask": mask and self._digests.file(mask, whole=True)}

    def masks(self, wildcards: Wildcards) -> dict[str, str]:
        """Return slide to its mask, of the slides of a batch; empty where it has none."""
        return {slide: self._task.rows[slide].mask for slide in self._of_job(wildcards)}

    def of_all(self, pattern: str) -> Callable[[Wildcards], list[str]]:
        """Return an input function: the manifests of all slides' files of a method."""
        return lambda wildcards: self._targets.manifests(pattern, self._task.rows, method=wildcards.method)

    # What a method, or an ablation of one, asks for beside.

    def norms(self, wildcards: Wildcards) -> list | dict[str, list]:
        """Return the norms that methods and an ablation ask of a feature set, or of each output, each once, by name."""
        asked = {}
        for method in self._pooling():
            for features, output in map(split_output, method.features):
                if features == wildcards.features:
                    asked.setdefault(output, {}).update({norm_name(norm): norm for norm in method.norm})
        listed = {output: [own[name] for name in sorted(own)] for output, own in sorted(asked.items())}
        return listed if self._study.feature_sets[wildcards.features].outputs else listed.get("", [])

    def _pooling(self) -> Iterable[ClassifierSettings]:
        methods = [*self._task.methods.values(), *self._task.tried()]
        return [method for method in methods if method.about.reads == "pooled"]

    def varied(self, wildcards: Wildcards) -> dict:
        """Return the settings of the method that an ablation varies, with one of them replaced."""
        return self._task.varied(wildcards.setting).given()

    def pooled_varied(self, wildcards: Wildcards) -> list[str]:
        """Return the pooled vectors of all training slides that are read with one setting varied."""
        return [
            manifest
            for features in feature_sets(self._task.varied(wildcards.setting))
            for manifest in self._targets.manifests(self._layout.pooled, self._task.train, features=features)
        ]
