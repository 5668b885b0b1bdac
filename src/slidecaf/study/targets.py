"""Every result of a study: what the workflow makes, listed by task."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product

from slidecaf.study.batches import deal_apart
from slidecaf.study.checked import Study
from slidecaf.study.layout import Layout
from slidecaf.study.tasks import ClassificationTask, SegmentationTask


class Targets:
    """The files of a study's results.

    Parameters
    ----------
    layout : Layout
    batches : mapping of int to sequence of str
        The slides of each batch.
    classification : ClassificationTask
    segmentation : SegmentationTask
    slides_of : dict of str to sequence of str
        Feature set to the slides that it is for; none where no method uses it.
    networks : collection of str
        Feature sets that a network computes.
    """

    def __init__(
        self,
        layout: Layout,
        batches: Mapping[int, Sequence[str]],
        classification: ClassificationTask,
        segmentation: SegmentationTask,
        *,
        slides_of: dict[str, Sequence[str]],
        networks: Collection[str],
    ):
        self.layout, self._classification, self._segmentation = layout, classification, segmentation
        self._slides_of, self._networks = slides_of, networks
        self._batch_of = {slide: number for number, batch in batches.items() for slide in batch}

    def manifests(self, pattern: str, slides: Iterable[str], **wildcards: str) -> list[str]:
        """Return the manifests of all batches that some slides are in.

        Parameters
        ----------
        pattern : str
            Of the files of slides, from the layout.
        slides : iterable of str
        **wildcards : str
            The pattern's, but for the slide.

        Returns
        -------
        list of str
        """
        numbers = sorted({self._batch_of[slide] for slide in slides})
        return [self.layout.batch(pattern).format(batch=number, **wildcards) for number in numbers]

    def encoders(self) -> list[str]:
        """Return what describes the networks of the feature sets that a method uses.

        Returns
        -------
        list of str
        """
        used = [name for name in self._networks if self._slides_of[name]]
        return [self.layout.encoder.format(features=name) for name in used]

    def of_classification(self) -> list[str]:
        """Return every file of the classification.

        Returns
        -------
        list of str
        """
        task, layout = self._classification, self.layout
        files = self._all_manifests(self._slides_of_classification())
        files += _fill((layout.choice, layout.selection, layout.model), method=task.methods, part=task.parts)
        files += _fill((layout.decisions,), method=task.methods, part=task.decided)
        files += _fill((layout.folds, layout.predictions, layout.scores), method=task.methods)
        return [*files, *self._comparison()]

    def of_segmentation(self) -> list[str]:
        """Return every file of the segmentation.

        Returns
        -------
        list of str
        """
        task, layout = self._segmentation, self.layout
        files = self._all_manifests(self._slides_of_segmentation())
        for method, chosen in task.methods.items():
            for variant in task.variants(method):
                files += _fill(
                    (layout.patch_models, layout.map_choice), part=task.parts, method=[method], variant=[variant]
                )
            one = {"method": [method]}
            files += _fill((layout.groups, layout.slide_scores, layout.segmentation_scores), **one)
            if chosen.hard_examples:
                files += _fill((layout.hard_examples_of_part,), part=task.left_out, **one)
                files += _fill((layout.hard_examples, layout.hard_examples_summary, layout.variants), **one)
        return files

    def for_the_report(self) -> list[str]:
        """Return what is made for the report alone.

        Returns
        -------
        list of str
        """
        layout, slides = self.layout, self._batch_of
        files = self.manifests(layout.thumbnail, slides)
        drawn = [name for name, method in self._classification.methods.items() if "neurons" in method.about.shows]
        files += _fill((layout.neurons_figure, layout.neurons_table), method=drawn)
        for method in self._segmentation.methods:
            files += _fill((layout.thresholds,), method=[method], variant=self._segmentation.variants(method))
        return files

    def read_by_the_report(self) -> list[str]:
        """Return the results that the report reads; features, maps and rasters are too large for it.

        Returns
        -------
        list of str
        """
        layout, classification, segmentation = self.layout, self._classification, self._segmentation
        files = [layout.study, *self.for_the_report(), *self.encoders(), *self._comparison()]
        files += _fill((layout.predictions, layout.scores), method=classification.methods)
        files += _fill((layout.choice,), method=classification.methods, part=classification.parts)
        for method, chosen in segmentation.methods.items():
            one = {"method": [method]}
            files += _fill((layout.groups, layout.slide_scores, layout.segmentation_scores), **one)
            for variant in segmentation.variants(method):
                files += _fill((layout.map_choice,), part=segmentation.parts, variant=[variant], **one)
                files += self.manifests(layout.segments, segmentation.rows, method=method, variant=variant)
            if chosen.hard_examples:
                files += _fill((layout.hard_examples, layout.variants), **one)
        for features, slides in self._slides_of.items():
            files += self.manifests(layout.tiles, slides, features=features)
        return files

    def everything(self) -> list[str]:
        """Return every file of the study, so that one that was deleted is made again even if nothing needs it.

        Returns
        -------
        list of str
        """
        files = [self.layout.study, *self.encoders(), *self.of_classification(), *self.of_segmentation()]
        return list(dict.fromkeys([*files, *self.for_the_report(), self.layout.report]))

    def of_slides(self) -> list[str]:
        """Return every slide's files: what the manifests list once all batches are made.

        Returns
        -------
        list of str
        """
        thumbnails = [(self.layout.thumbnail, self._batch_of, {})]
        files = [
            kind.format(slide=slide, **wildcards)
            for pattern, slides, wildcards in (
                *self._slides_of_classification(),
                *self._slides_of_segmentation(),
                *thumbnails,
            )
            for kind in self.layout.files_of_slide(pattern)
            for slide in slides
        ]
        return list(dict.fromkeys(files))

    def _slides_of_classification(self):
        """Yield every kind of file that slides have: its pattern, the slides, and the other wildcards."""
        task, layout = self._classification, self.layout
        used = {features for method in task.methods.values() for features in method.features}
        for features in sorted(used):
            yield layout.tiles, task.rows, {"features": features}
            yield layout.features, task.rows, {"features": features}
            if task.pools(features):
                yield layout.pooled, task.rows, {"features": features}
        for name, method in task.methods.items():
            if "patches" in method.about.shows:
                yield layout.patch_scores, task.rows, {"method": name}

    def _slides_of_segmentation(self):
        """As `_slides_of_classification`."""
        task, layout = self._segmentation, self.layout
        for method in task.methods:
            features = {"features": task.features(method)}
            yield layout.tiles, task.rows, features
            yield layout.features, task.train if task.is_fused(method) else task.rows, features
            yield layout.labels, task.masked, features
            if task.is_fused(method):
                yield layout.confidences, task.test, {"method": method}
            for variant in task.variants(method):
                own = {"method": method, "variant": variant}
                yield layout.maps, task.train, own
                yield layout.segments, task.rows, own
                yield layout.outlines, task.rows, own

    def _all_manifests(self, kinds):
        return [path for pattern, slides, wildcards in kinds for path in self.manifests(pattern, slides, **wildcards)]

    def _comparison(self):
        return [self.layout.comparison] if len(self._classification.methods) > 1 else []


def targets_of(study: Study) -> Targets:
    """Return the files that a study's results are.

    Parameters
    ----------
    study : slidecaf.study.checked.Study

    Returns
    -------
    Targets
    """
    config = study.config
    training = (slide for slide, splits in study.splits.items() if "train" in splits)
    return Targets(
        Layout(config.results),
        deal_apart(training, study.slides, config.slides_per_job),
        ClassificationTask(config.classification, study.classification),
        SegmentationTask(config.segmentation, study.segmentation, config.features, config.seed),
        slides_of={name: study.slides_of(name) for name in config.features},
        networks=[name for name, features in config.features.items() if features.kind == "network"],
    )


def _fill(patterns, **wildcards):
    """Return patterns with every combination of some wildcards' values."""
    combined = [dict(zip(wildcards, values, strict=True)) for values in product(*wildcards.values())]
    return [pattern.format(**values) for pattern in patterns for values in combined]
