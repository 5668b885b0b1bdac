"""A study as a whole: its config held against the schema, its sheets read and checked, together."""

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil

from slidecaf.errors import InputErrors
from slidecaf.files.faults import is_file
from slidecaf.study.batches import deal_shards
from slidecaf.study.classes import cut_labels, drop_rare
from slidecaf.study.config import Config, check_config, feature_sets, patch_sets
from slidecaf.study.imported import find_sources
from slidecaf.study.layout import Layout
from slidecaf.study.model import Model, check_revisions, read_model
from slidecaf.study.names import near, set_of_part, split_part
from slidecaf.study.sheets import check_classification, check_segmentation, check_together, read_sheet
from slidecaf.study.tasks import ClassificationTask

_WHOLE_SLIDES = (".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".svslide", ".bif", ".czi")
SLIDE_SUFFIXES = frozenset([*_WHOLE_SLIDES, ".tif", ".tiff", ".png", ".jpg", ".jpeg"])
"""Suffixes of files that are taken for slides where a folder is looked through; DICOM is told by content."""


@dataclass(frozen=True)
class Study:
    """A study that has been checked, without a look into any slide.

    Attributes
    ----------
    config : slidecaf.study.config.Config
        With every default filled in.
    classification, segmentation : list of slidecaf.study.sheets.Row
        The rows of the two sheets; empty where the task is left out.
    classes : list of str
        With two, the negative and then the positive one; otherwise sorted.
    copies : list of slidecaf.study.sheets.Row
        Rows of the classification that are left out, being copies of others.
    copy_of : dict of str to str
        Slide of these to the slide that it is a copy of.
    rare : list of slidecaf.study.sheets.Row
        Rows of the classification that are left out, since their class has fewer rows than ``min_images``.
    rare_classes : dict of str to int
        Class of these to its rows.
    model : slidecaf.study.model.Model or None
        What decides on the slides of a study that learns nothing.
    """

    config: Config
    classification: list
    segmentation: list
    classes: list
    copies: list = field(default_factory=list)
    copy_of: dict = field(default_factory=dict)
    rare: list = field(default_factory=list)
    rare_classes: dict = field(default_factory=dict)
    model: Model | None = None

    @cached_property
    def plain(self) -> dict:
        """The config as plain keys and values, as `slidecaf.study.config.Settings.plain` gives them."""
        return self.config.plain()

    @property
    def slides(self):
        """Slide id to its row, over both sheets."""
        return {row.slide: row for row in [*self.classification, *self.segmentation]}

    def computed(self, features) -> list[str]:
        """Return the names under which a feature set of the config is computed.

        Parameters
        ----------
        features : str

        Returns
        -------
        list of str
            Its own name; of a set whose network is trained here one a part, the final one's, which is its own, last.
        """
        if not self.config.features[features].trained_by:
            return [features]
        parts = ClassificationTask(self.config.classification, self.classification).parts
        return [set_of_part(features, part) for part in parts]

    @cached_property
    def feature_sets(self) -> dict:
        """The feature sets as they are computed, by name: of those trained here with the files of their networks."""
        layout, found = Layout(self.config.results), {}
        for name, settings in self.config.features.items():
            for computed in self.computed(name):
                found[computed] = settings
                if settings.trained_by:
                    part = split_part(computed)[1] or "final"
                    path = layout.network.format(method=settings.trained_by, part=part)
                    encoder = settings.encoder.model_copy(update={"weights": path})
                    found[computed] = settings.model_copy(update={"encoder": encoder})
        return found

    def slides_of(self, features):
        """Return the slides that a feature set is computed for.

        Parameters
        ----------
        features : str
            As the config names it, or one of `feature_sets`.

        Returns
        -------
        list of str
            Each once; empty where no method uses the feature set. Of a fold's network those of training rows.
        """
        name, fold = split_part(features)
        rows = [
            *(self.classification if name in self.config.feature_sets_of("classification") else ()),
            *(self.segmentation if name in self.config.feature_sets_of("segmentation") else ()),
        ]
        return list(dict.fromkeys(row.slide for row in rows if not fold or row.split == "train"))

    def tiled_slides(self, features):
        """Return the slides of which a feature set's patches are looked for.

        Parameters
        ----------
        features : str
            As for `slides_of`.

        Returns
        -------
        list of str
            Beside those whose features are computed those of whose patches a method reads the pixels.
        """
        task = self.config.classification
        read = self.classification if task and features in task.patch_sets else ()
        return list(dict.fromkeys([*self.slides_of(features), *(row.slide for row in read)]))

    @property
    def splits(self):
        """Slide id to the splits that it is in, over both sheets."""
        found = {}
        for row in [*self.classification, *self.segmentation]:
            found.setdefault(row.slide, set()).add(row.split)
        return found

    def stain_target(self, features) -> dict | None:
        """Return what the slides of a feature set are made to look like.

        Parameters
        ----------
        features : str

        Returns
        -------
        dict or None
            ``name``, ``path``, ``mpp`` and ``scene``, of a slide as its sheet has them; None where colours are left as
            they are.
        """
        image = getattr(self.config.features[split_part(features)[0]], "image", None)
        if image is None or image.stain is None:
            return None
        target = image.stain.target
        if row := self.slides.get(target):
            return {"name": target, "path": row.path, "mpp": row.mpp, "scene": row.scene}
        return {"name": target.rpartition("/")[2], "path": target, "mpp": None, "scene": ""}

    def slides_with_features(self, features):
        """Return the slides of whose features a file is kept.

        Parameters
        ----------
        features : str

        Returns
        -------
        list of str
            Without test rows of the segmentation where the feature set stores those of training rows only.
        """
        kept = self.slides_of(features)
        if getattr(self.config.features[split_part(features)[0]], "store", "all") != "train":
            return kept
        classified = features in self.config.feature_sets_of("classification")
        read = {row.slide for row in self.classification} if classified else set()
        tested = {row.slide for row in self.segmentation if row.split == "test"}
        return [slide for slide in kept if slide in read or slide not in tested]

    def pools(self, features):
        """Tell whether a feature set is pooled, for the classification; whole images have one vector as they are."""
        classified = self.config.classification
        return bool(classified) and features in classified.pooled_sets and not self.config.features[features].is_whole

    @cached_property
    def shards(self) -> dict[str, dict[int, list[str]]]:
        """Feature set of whole images to the slides of each shard; all slides where no method uses it."""
        return {
            name: deal_shards(self.slides_of(name) or self.slides, settings.shards)
            for name, settings in self.feature_sets.items()
            if settings.is_whole
        }


def check_study(config, *, made=(), copies=None) -> Study:
    """Check a config and the sheets that it names. Paths start at the working directory, the study.

    Parameters
    ----------
    config : dict
        As read from YAML.
    made : container of str, optional
        Paths of slides and masks that the workflow makes, which need not exist yet.
    copies : slidecaf.study.copies.Copies, optional
        Finds copies; without it slides are not compared.

    Returns
    -------
    Study

    Raises
    ------
    InputErrors
        With every problem of the first file that has any.
    """
    config = check_config(config)
    if config.model:
        return _check_prediction(config, made)
    task, other = config.classification, config.segmentation
    rows, segmented, classes, left_out, rare, rare_classes = [], [], [], {}, [], {}
    if task:
        rows = read_sheet(task.sheet, "classification", made=made)
        rows = cut_labels(rows, task.label_depth, source=task.sheet)
    if other:
        segmented = read_sheet(other.sheet, "segmentation", made=made)
    if task and other:
        check_together(rows, segmented, sources=(task.sheet, other.sheet))
    if copies:
        source = " and ".join(one.sheet for one in (task, other) if one)
        left_out = copies(rows, segmented, on_copies=config.on_copies, source=source)
    every, rows = rows, [row for row in rows if row.slide not in left_out]
    if task:
        rows, rare, rare_classes = drop_rare(rows, task.min_images, source=task.sheet)
        chooses = any(method.candidates > 1 for method in task.methods.values())
        classes = check_classification(
            rows, source=task.sheet, positive=task.positive, folds=task.folds, chooses=chooses
        )
        check_kinds(task.methods, classes)
        check_foreground(task, rows, classes)
    if other:
        check_segmentation(segmented, source=other.sheet, folds=other.folds)
    check_imported(config, rows, segmented)
    check_stains(config, {row.slide for row in [*rows, *segmented]})
    check_regions(config, rows, segmented)
    copied = [row for row in every if row.slide in left_out]
    return Study(config, rows, segmented, classes, copied, dict(left_out), rare, rare_classes)


def _check_prediction(config, made):
    """Check a study that learns nothing: a model decides on the slides of its sheets, whose labels are for scores."""
    model, rows = read_model(config.model), {}
    check_revisions(model, config)
    for task, settings in config.tasks().items():
        if (wanted := {model.stated["tasks"].get(task, {}).get("method")}) != set(settings.methods):
            raise InputErrors(
                "config.yaml",
                [
                    f"{task}.methods: {', '.join(settings.methods)}, and the model in {config.model} has "
                    f"{wanted.pop() or 'none'}; make the folder anew with slidecaf predict."
                ],
            )
        rows[task] = read_sheet(settings.sheet, task, made=made)
        problems = [
            f"row {row.number}, column split: {row.split} for slide {row.slide!r}, and a model that is given learns "
            "nothing; write test."
            for row in rows[task]
            if row.split != "test"
        ]
        problems += [
            f"row {row.number}, column label: {row.label!r} for slide {row.slide!r}, and the model knows "
            f"{', '.join(model.classes)}; write one of these, or leave the cell empty."
            for row in rows[task]
            if row.label and row.label not in model.classes
        ]
        if problems:
            raise InputErrors(settings.sheet, problems)
    classified, segmented = rows.get("classification", []), rows.get("segmentation", [])
    if len(rows) > 1:
        check_together(classified, segmented, sources=(config.classification.sheet, config.segmentation.sheet))
    return Study(config, classified, segmented, model.classes, model=model)


def check_kinds(methods, classes):
    """Check that every kind of method can tell so many classes apart.

    Parameters
    ----------
    methods : dict of str to slidecaf.study.config.ClassifierSettings
    classes : list of str

    Raises
    ------
    InputErrors
        With every method that cannot.
    """
    problems = [
        f"classification.methods.{name}.kind: {method.kind} tells two classes apart, and the sheet has {len(classes)} "
        f"({', '.join(classes)}); write another kind, such as svm, or leave the method out."
        for name, method in methods.items()
        if method.about.two_classes and len(classes) > 2
    ]
    if problems:
        raise InputErrors("config.yaml", problems)


def check_foreground(task, rows, classes):
    """Check that foreground Fisher vectors find two patients of each class wherever they learn their weights.

    Half of the training rows is held back to learn them. Where candidates are tried, that is done inside the inner
    folds too. Folds are taken to share patients out evenly, as far as the sheet does not fix them.

    Parameters
    ----------
    task : slidecaf.study.config.Classification
    rows : list of slidecaf.study.sheets.Row
    classes : list of str

    Raises
    ------
    InputErrors
        With every method that does not, and the class with the fewest patients.
    """
    patients = {
        label: {row.patient: row.fold for row in rows if row.split == "train" and row.label == label}
        for label in classes
    }
    problems = []
    for name, method in task.methods.items():
        if not getattr(method, "fisher", None) or "ffv" not in method.fisher.kind:
            continue
        inner = task.inner_folds if method.candidates > 1 else None
        left, count, label = min(
            (_fewest_left(own, rows, task.folds), len(own), label) for label, own in patients.items()
        )
        if _left_by(left, inner) < 2:
            where = "every fold's training rows"
            if inner:
                where += f" and in what the {inner} inner folds that choose among candidates leave of them"
            freely = None in patients[label].values() and _left_by(count - 1, inner) >= 2
            way = f"set classification.folds to {count}" if freely else "add patients"
            problems.append(
                f"classification.methods.{name}.fisher.kind: ffv holds half of the training rows back to learn its "
                f"weights, so that it needs two patients of each class in {where}, and a fold leaves {left} of "
                f"{label!r}; {way}, or leave ffv out."
            )
    if problems:
        raise InputErrors("config.yaml", problems)


def _fewest_left(own, rows, folds):
    """Return the patients of a class, each with its fold, that a fold leaves to learn from, at the fewest."""
    if None in own.values():
        return _left_by(len(own), folds)
    named = {row.fold for row in rows if row.split == "train"}
    return min(sum(fold != left_out for fold in own.values()) for left_out in named)


def _left_by(patients, folds):
    """Return how many patients are left where one of so many folds, at most one a patient, is left out."""
    return patients if folds is None else patients - ceil(patients / max(1, min(folds, patients)))


def check_stains(config, slides):
    """Check that the target of each stain normalisation is there, and one thing.

    Parameters
    ----------
    config : slidecaf.study.config.Config
    slides : set of str
        Ids of all slides.

    Raises
    ------
    InputErrors
        With every target that is not.
    """
    problems = []
    for name, features in config.features.items():
        image = getattr(features, "image", None)
        if image is None or image.stain is None:
            continue
        target, where = image.stain.target, f"features.{name}.image.stain.target"
        there = is_file(target)
        if target in slides and there:
            problems.append(f"{where}: {target!r} is a slide's id and a file; write ./{target} for the file.")
        elif target not in slides and not there:
            problems.append(
                f"{where}: {target!r} is no slide's id{near(target, slides)} and no file; write the id of a slide in a "
                "sheet, or the path of an image file."
            )
    if problems:
        raise InputErrors("config.yaml", problems)


def check_regions(config, classification, segmentation):
    """Check that regions of interest limit all that looks at their slides: what lays no patches knows none.

    Parameters
    ----------
    config : slidecaf.study.config.Config
    classification, segmentation : list of slidecaf.study.sheets.Row

    Raises
    ------
    InputErrors
        With every feature set and method that would look at whole slides.
    """
    problems = []
    for task, rows in (("classification", classification), ("segmentation", segmentation)):
        row = next((row for row in rows if row.roi), None)
        if row is None:
            continue
        said = f"slide {row.slide!r} has {row.roi!r} in column roi; empty the column, or"
        for name in config.feature_sets_of(task):
            if config.features[name].is_whole:
                problems.append(f"features.{name}.tiling: whole looks at all of a slide, and {said} lay patches.")
            elif config.features[name].kind == "imported":
                problems.append(
                    f"features.{name}.kind: the patches of imported features are another program's, and {said} limit "
                    "them there and take the column out."
                )
        problems += [
            f"{task}.methods.{name}.kind: {method.kind} looks at all of a slide, and {said} leave the method out."
            for name, method in config.methods(task).items()
            if not feature_sets(method) and not patch_sets(method)
        ]
    if problems:
        raise InputErrors("config.yaml", problems)


def check_imported(config, classification, segmentation):
    """Check that every slide has its file in the imported feature sets that it is used with.

    Parameters
    ----------
    config : slidecaf.study.config.Config
    classification, segmentation : list of slidecaf.study.sheets.Row

    Raises
    ------
    InputErrors
        With every missing file, unless ``on_bad_slide`` leaves such slides out.
    """
    rows_of = {}
    for task, rows in (("classification", classification), ("segmentation", segmentation)):
        for name in config.feature_sets_of(task):
            if config.features[name].kind == "imported":
                rows_of.setdefault(name, {}).update({row.slide: row for row in rows})
    problems = [
        f"features.{name}: {problem}"
        for name, rows in rows_of.items()
        for problem in find_sources(config.features[name].plain(), rows.values())[1]
    ]
    if problems and config.on_bad_slide == "fail":
        raise InputErrors("config.yaml", problems)
