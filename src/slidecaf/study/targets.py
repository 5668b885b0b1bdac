"""Every result of a study: what the workflow makes, listed by task."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product
from pathlib import PurePosixPath
from types import MappingProxyType

from slidecaf.study.batches import deal_apart
from slidecaf.study.checked import Study
from slidecaf.study.config import explained, feature_sets, patch_sets
from slidecaf.study.layout import Layout
from slidecaf.study.names import split_part
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
        Feature set, as it is computed, to the slides that it is for; none where no method uses it.
    networks : collection of str
        Feature sets that a network computes.
    shards : mapping of str to mapping of int to sequence of str, optional
        Feature set of whole images to the slides of each shard.
    trained_by : mapping of str to str, optional
        Feature set of the config to the method that trains its network, empty where none does.

    Attributes
    ----------
    layout, batches, classification, segmentation
        As they were given.
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
        shards: Mapping[str, Mapping[int, Sequence[str]]] = MappingProxyType({}),
        trained_by: Mapping[str, str] = MappingProxyType({}),
    ):
        self.layout, self.batches = layout, batches
        self.classification, self.segmentation = classification, segmentation
        self._slides_of, self._networks, self._trained_by = slides_of, networks, trained_by
        self._batch_of = {slide: number for number, batch in batches.items() for slide in batch}
        self._shard_of = {
            name: {slide: number for number, shard in dealt.items() for slide in shard}
            for name, dealt in shards.items()
        }

    def manifests(self, pattern: str, slides: Iterable[str], **wildcards: str) -> list[str]:
        """Return the manifests of all batches that some slides are in.

        A feature set of whole images has neither tiles nor pooled files: whatever the pattern, its shards have all.

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
        if shard_of := self._shard_of.get(wildcards.get("features")):
            manifest = self.layout.batch(self.layout.shard)
            return [manifest.format(shard=k, **wildcards) for k in sorted({shard_of[slide] for slide in slides})]
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
        task, layout = self.classification, self.layout
        files = self._all_manifests(self._slides_of_classification())
        learned = layout.choice, layout.selection, layout.model, layout.inner
        encoding, trained = ([one for one in own if one in task.learning] for own in (task.encoding, task.trained))
        files += _fill((layout.folds, *learned), method=task.learning, part=task.parts)
        files += _fill((layout.mixtures,), method=encoding, part=task.parts)
        files += _fill((layout.network, layout.curves), method=trained, part=task.parts)
        files += _fill((layout.encoded,), method=encoding, part=task.parts, rows=["training"])
        files += _fill((layout.encoded,), method=task.encoding, part=task.decided, rows=["left_out"])
        files += _fill((layout.map_scores,), method=[name for name, method in task.methods.items() if method.maps])
        files += _fill((layout.decisions,), method=task.methods, part=task.decided)
        files += _fill((layout.predictions, layout.scores), method=task.methods)
        return [*dict.fromkeys(files), *self._comparison()]

    def of_segmentation(self) -> list[str]:
        """Return every file of the segmentation.

        Returns
        -------
        list of str
        """
        task, layout = self.segmentation, self.layout
        files = self._all_manifests(self._slides_of_segmentation())
        for method, chosen in task.methods.items():
            one = {"method": [method]}
            files += _fill((layout.slide_scores, layout.segmentation_scores), **one)
            if method not in task.learning:
                continue
            for variant in task.variants(method):
                models = getattr(layout, task.kind(method).models)
                files += _fill((models, layout.map_choice), part=task.parts, variant=[variant], **one)
            files += _fill((layout.groups,), **one)
            if chosen.hard_examples:
                files += _fill((layout.hard_examples_of_part,), part=task.left_out, **one)
                files += _fill((layout.hard_examples, layout.hard_examples_summary, layout.variants), **one)
        return files

    def compared(self) -> list[str]:
        """Return the tables that set a task's methods, or what was varied of one, side by side.

        Returns
        -------
        list of str
        """
        tasks = {"classification": self.classification, "segmentation": self.segmentation}
        files = [self.layout.methods.format(task=name) for name, task in tasks.items() if task.learning]
        if self.classification.ablation:
            files += [*self.of_varied(self.layout.ablated), self.layout.ablation]
        return files

    def of_varied(self, pattern: str) -> list[str]:
        """Return a file of the method that an ablation varies, or its files of every setting.

        Parameters
        ----------
        pattern : str
            From the layout.

        Returns
        -------
        list of str
        """
        varied = self.classification.ablation
        return list(dict.fromkeys(_fill((pattern,), method=[varied.method], setting=varied.settings())))

    def behind(self, task: str, method: str | None = None, variant: str = "") -> list[str]:
        """Return the files that a method's scores come of, and those that are made of them.

        Parameters
        ----------
        task : str
        method : str, optional
            All methods of the task by default.
        variant : str, optional
            Of a segmentation; ``plain`` leaves out what is made for retraining alone.

        Returns
        -------
        list of str
            Of the feature sets, of all slides and of the method itself; no table of several methods.
        """
        methods = {"classification": self.classification, "segmentation": self.segmentation}[task].methods
        chosen = methods if method is None else {method: methods[method]}
        sets = {name for settings in chosen.values() for name in feature_sets(settings)}
        tiled = {name for settings in chosen.values() for name in patch_sets(settings)}
        networks = set(_fill((self.layout.network,), method=self._trainers(sets), part=self.classification.parts))
        made = {"classification": self.of_classification, "segmentation": self.of_segmentation}[task]()

        def is_behind(path):
            room, name, *rest = PurePosixPath(path).relative_to(self.layout.results).parts
            if room != task:
                features = split_part(name.removesuffix(".json"))[0]
                return features in sets or (room == "tiles" and features in tiled)
            own = name in chosen and bool(rest) and not (variant == "plain" and rest[0].startswith("hard"))
            return own or path in networks

        return list(filter(is_behind, [*self.encoders(), *made]))

    def for_the_report(self) -> list[str]:
        """Return what is made for the report alone.

        Returns
        -------
        list of str
        """
        layout, slides = self.layout, self._batch_of
        files = self.manifests(layout.thumbnail, slides)
        task = self.classification
        drawn = [name for name in task.learning if "neurons" in task.methods[name].about.shows]
        files += _fill((layout.neurons_figure, layout.neurons_table), method=drawn)
        explained = [name for name in self._explained if name in task.learning]
        files += _fill((layout.evidence_figure, layout.evidence_table), method=explained)
        for method in self.segmentation.learning:
            files += _fill((layout.thresholds,), method=[method], variant=self.segmentation.variants(method))
        return files

    def read_by_the_report(self) -> list[str]:
        """Return the results that the report reads; features, maps and rasters are too large for it.

        Returns
        -------
        list of str
        """
        layout, classification, segmentation = self.layout, self.classification, self.segmentation
        files = [layout.study, *self.for_the_report(), *self.encoders(), *self._comparison(), *self.compared()]
        files += _fill((layout.predictions, layout.scores), method=classification.methods)
        files += _fill((layout.choice,), method=classification.learning, part=classification.parts)
        trained = [name for name in classification.trained if name in classification.learning]
        files += _fill((layout.curves,), method=trained, part=classification.parts)
        for name in (name for name, method in classification.methods.items() if method.maps):
            files += _fill((layout.map_scores,), method=[name])
            files += self.manifests(layout.class_maps, classification.rows, method=name)
        for name in self._explained:
            files += self.manifests(layout.heatmap, classification.rows, method=name)
        for method, chosen in segmentation.methods.items():
            one = {"method": [method]}
            files += _fill((layout.slide_scores, layout.segmentation_scores), **one)
            for variant in segmentation.variants(method):
                files += self.manifests(layout.segments, segmentation.rows, method=method, variant=variant)
            if method not in segmentation.learning:
                continue
            files += _fill((layout.groups,), **one)
            files += _fill((layout.map_choice,), part=segmentation.parts, variant=segmentation.variants(method), **one)
            if chosen.hard_examples:
                files += _fill((layout.hard_examples, layout.variants), **one)
        tiled = [*self._slides_of.items(), *((name, classification.rows) for name in classification.patch_sets)]
        for features, slides in tiled:
            files += self.manifests(layout.tiles, slides, features=features)
        return list(dict.fromkeys(files))

    def everything(self) -> list[str]:
        """Return every file of the study, so that one that was deleted is made again even if nothing needs it.

        Returns
        -------
        list of str
        """
        files = [self.layout.study, *self.encoders(), *self.of_classification(), *self.of_segmentation()]
        return list(dict.fromkeys([*files, *self.compared(), *self.for_the_report(), self.layout.report]))

    def of_slides(self) -> list[str]:
        """Return every slide's files: what the manifests list once all batches are made.

        Returns
        -------
        list of str
        """
        thumbnails = [(self.layout.thumbnail, self._batch_of, {})]
        files = [
            kind.format(slide=slide, shard=self._shard_of.get(wildcards.get("features"), {}).get(slide), **wildcards)
            for pattern, slides, wildcards in (
                *self._slides_of_classification(),
                *self._slides_of_segmentation(),
                *thumbnails,
            )
            for kind in self.layout.files_of_slide(pattern)
            for slide in slides
        ]
        return list(dict.fromkeys(files))

    @property
    def _explained(self):
        """The methods that have heat maps: a slide that is taken whole has no patches to share its decision among."""
        return explained(self.classification.methods, {split_part(name)[0] for name in self._shard_of})

    def _trainers(self, sets):
        """Return the methods that train the networks of some feature sets of the config."""
        return sorted({method for name, method in self._trained_by.items() if name in sets and method})

    def _slides_of_classification(self):
        """Yield every kind of file that slides have: its pattern, the slides, and the other wildcards."""
        task, layout = self.classification, self.layout
        for features in sorted(name for name in self._slides_of if split_part(name)[0] in task.feature_sets):
            read = (layout.tiles, layout.features, *([layout.pooled] if task.pools(features) else ()))
            slides = self._slides_of[features] if split_part(features)[1] else task.rows
            for pattern in [layout.shard] if features in self._shard_of else read:
                yield pattern, slides, {"features": features}
        for features in task.patch_sets:
            yield layout.tiles, task.rows, {"features": features}
        for name, method in task.methods.items():
            if method.maps:
                yield layout.class_maps, task.rows, {"method": name}
            if "patches" in method.about.shows:
                yield layout.patch_scores, task.rows, {"method": name}
        for name in self._explained:
            yield layout.heatmap, task.rows, {"method": name}

    def _slides_of_segmentation(self):
        """As `_slides_of_classification`."""
        task, layout = self.segmentation, self.layout
        for method in task.methods:
            kind, place = task.kind(method), {"features": task.features(method), "method": method}
            yield getattr(layout, kind.cells), task.rows, place
            if task.features(method):
                yield layout.features, task.train if task.is_fused(method) else task.rows, place
            yield getattr(layout, kind.labels), task.masked, place
            if task.is_fused(method):
                yield layout.confidences, task.test, {"method": method}
            for variant in task.variants(method):
                own = {"method": method, "variant": variant}
                yield layout.maps, task.mapped(method), own
                yield layout.segments, task.rows, own
                yield layout.outlines, task.rows, own

    def _all_manifests(self, kinds):
        return [path for pattern, slides, wildcards in kinds for path in self.manifests(pattern, slides, **wildcards)]

    def _comparison(self):
        return [self.layout.comparison] if len(self.classification.methods) > 1 else []


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
        Layout(config.results, config.model),
        deal_apart(training, study.slides, config.batch_size),
        ClassificationTask(
            config.classification, study.classification, study.copies + study.rare, learns=not study.model
        ),
        SegmentationTask(config.segmentation, study.segmentation, config.features, config.seed, learns=not study.model),
        slides_of={name: study.slides_of(name) for name in study.feature_sets},
        networks=[name for name, features in study.feature_sets.items() if features.kind == "network"],
        shards=study.shards,
        trained_by={name: features.trained_by for name, features in config.features.items()},
    )


def _fill(patterns, **wildcards):
    """Return patterns with every combination of some wildcards' values."""
    combined = [dict(zip(wildcards, values, strict=True)) for values in product(*wildcards.values())]
    return [pattern.format(**values) for pattern in patterns for values in combined]
