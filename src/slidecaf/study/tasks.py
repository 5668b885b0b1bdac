"""The two tasks of a study as the workflow sees them: their slides, parts and methods."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from slidecaf.study import config
from slidecaf.study.groups import leave_out
from slidecaf.study.kinds import SEGMENTATION_KINDS, SegmentationKind
from slidecaf.study.sheets import Row


class Task:
    """What both tasks have: a part of the config, and rows."""

    def __init__(self, task: config.Settings | None, rows: Sequence[Row], learns: bool):
        self.methods, self._task = task.methods if task else {}, task
        self.learning = list(self.methods) if learns else []
        self.rows = {row.slide: row for row in rows}
        self.train, self.test = _split(rows, "train"), _split(rows, "test")

    def setting(self, key: str):
        """Return a setting of the task.

        Parameters
        ----------
        key : str

        Returns
        -------
        object
            None where the study does not have the task.
        """
        return self._task and getattr(self._task, key)

    def table(self, slides: Sequence[str], *columns: str) -> list[dict]:
        """Return some columns of the sheet, a row a slide.

        Parameters
        ----------
        slides : sequence of str
        *columns : str

        Returns
        -------
        list of dict
        """
        return [{column: getattr(self.rows[slide], column) for column in columns} for slide in slides]

    def by_slide(self, slides: Sequence[str], *columns: str) -> dict[str, dict]:
        """Return some columns of the sheet by slide.

        Parameters
        ----------
        slides : sequence of str
        *columns : str

        Returns
        -------
        dict of str to dict
        """
        return dict(zip(slides, self.table(slides, *columns), strict=True))


class ClassificationTask(Task):
    """The classification task.

    Parameters
    ----------
    task : slidecaf.study.config.Classification or None
        ``classification`` of the config; None where the study has none.
    rows : sequence of slidecaf.study.sheets.Row
    left_out : sequence of slidecaf.study.sheets.Row, optional
        Rows that are left out, and listed all the same: copies of others, and those of rare classes.
    learns : bool, optional
        False where a model is given: the final part is all there is.

    Attributes
    ----------
    methods : dict of str to slidecaf.study.config.Settings
    learning : list of str
        The methods that learn here: all of them, or none.
    rows : dict of str to Row
        Slide to its row.
    train, test : list of str
        Sorted slides.
    folds : int
        How many; the sheet's where it fixes them, counted from 0 in the order of their numbers there.
    parts : list of str
        ``fold-0``, ..., ``final``.
    decided : list of str
        Parts whose model decides on slides that it never saw.
    ablation : slidecaf.study.config.Ablation or None
        What is varied of a method; None where nothing is.
    settings : list of [str, object]
        What an ablation tries: the key of a method and its value.
    feature_sets : set of str
        Those of all methods, and those that an ablation tries.
    patch_sets : list of str
        Those of whose patches methods read the pixels.
    """

    def __init__(
        self, task: config.Settings | None, rows: Sequence[Row], left_out: Sequence[Row] = (), *, learns: bool = True
    ):
        super().__init__(task, rows, learns)
        self._left_out = left_out
        fixed = {self.rows[slide].fold for slide in self.train} - {None}
        self.folds = len(fixed) or (task.folds if task and learns else 0)
        self.parts = [f"fold-{fold}" for fold in range(self.folds)] + ["final"]
        self.decided = self.parts if self.test else self.parts[:-1]
        self.ablation = task.ablation if task else None
        self.settings = list(map(list, self.ablation.settings().values())) if self.ablation else []
        self.feature_sets = set(task.feature_sets) if task else set()
        self.patch_sets = task.patch_sets if task else []

    @cached_property
    def labelled(self) -> list[dict]:
        """What a part learns by: ``slide``, ``label`` and ``patient`` of each training row."""
        return self.table(self.train, "slide", "label", "patient")

    def decided_slides(self, part: str) -> list[str]:
        """Return the slides among which a part's decisions are.

        Parameters
        ----------
        part : str

        Returns
        -------
        list of str
            Training slides of a fold, test slides of the final part.
        """
        return self.test if part == "final" else self.train

    @property
    def encoding(self) -> list[str]:
        """The methods that encode slides by what their parts learn."""
        return [name for name, method in self.methods.items() if method.about.reads == "encoded"]

    @property
    def trained(self) -> list[str]:
        """The methods that train a network on images."""
        return [name for name, method in self.methods.items() if method.about.reads == "images"]

    def candidates(self) -> dict[str, list]:
        """Return what the method of an ablation has itself, of the keys that are varied.

        Returns
        -------
        dict of str to list
        """
        return {factor: getattr(self.methods[self.ablation.method], factor) for factor, _ in self.settings}

    def tried(self) -> list[config.ClassificationSvm]:
        """Return the settings of every value that an ablation tries.

        Returns
        -------
        list of slidecaf.study.config.ClassificationSvm
        """
        return [self.varied(setting) for setting in self.ablation.settings()] if self.ablation else []

    def varied(self, setting: str) -> config.ClassificationSvm:
        """Return the settings of the method of an ablation with one list of candidates replaced by one value.

        Parameters
        ----------
        setting : str
            As `slidecaf.study.config.Ablation.settings` names it, such as ``norm-3``.

        Returns
        -------
        slidecaf.study.config.ClassificationSvm
        """
        factor, value = self.ablation.settings()[setting]
        return self.methods[self.ablation.method].model_copy(update={factor: [value]})

    def pools(self, features: str) -> bool:
        """Tell whether a method reads one vector a slide of a feature set.

        Parameters
        ----------
        features : str

        Returns
        -------
        bool
        """
        return self._task is not None and features in self._task.pooled_sets

    def listed(self, *columns: str) -> list[dict]:
        """Return some columns of the sheet, of every row that the predictions list: training, test, left out.

        Parameters
        ----------
        *columns : str

        Returns
        -------
        list of dict
        """
        left_out = [{column: getattr(row, column) for column in columns} for row in self._left_out]
        return [*self.table(self.train + self.test, *columns), *left_out]


class SegmentationTask(Task):
    """The segmentation task.

    Parameters
    ----------
    task : slidecaf.study.config.Segmentation or None
        ``segmentation`` of the config; None where the study has none.
    rows : sequence of slidecaf.study.sheets.Row
    features : mapping of str to slidecaf.study.config.Settings
        The feature sets of the config.
    seed : int
        Of the draw of groups that are left out.
    learns : bool, optional
        False where a model is given: the final part is all there is.

    Attributes
    ----------
    methods : dict of str to slidecaf.study.config.Settings
    learning : list of str
        The methods that learn here: all of them, or none.
    rows : dict of str to Row
        Slide to its row.
    train, test, masked : list of str
        Sorted slides; those that have a mask.
    groups : dict of str to int
        Training slide to the group of patients with which it is left out.
    left_out : list of str
        The parts that leave slides out: ``fold-0``, ...
    parts : list of str
        These and ``final``.
    """

    def __init__(
        self,
        task: config.Settings | None,
        rows: Sequence[Row],
        features: Mapping[str, config.Settings],
        seed: int,
        *,
        learns: bool = True,
    ):
        super().__init__(task, rows, learns)
        self._features = features
        self.masked = sorted(row.slide for row in rows if row.mask)
        self.groups = self._leave_out(seed) if self.train else {}
        self.left_out = [f"fold-{group}" for group in sorted(set(self.groups.values()))]
        self.parts = [*self.left_out, "final"] if rows else []

    def _leave_out(self, seed):
        rows = [self.rows[slide] for slide in self.train]
        fixed = [row.fold for row in rows] if rows[0].fold is not None else None
        return leave_out(self.train, [row.patient for row in rows], self.setting("folds"), seed=seed, fixed=fixed)

    @property
    def mask_settings(self) -> dict:
        """How masks are read: `mask_value`, and `mask_channel` and `mask_class` where they are set.

        These are left out otherwise, so that no study of before it had the keys is computed anew.
        """
        further = {key: self.setting(key) for key in ("mask_channel", "mask_class")}
        return {"mask_value": self.setting("mask_value")} | {k: v for k, v in further.items() if v is not None}

    @property
    def learned_from(self) -> dict:
        """What models learn from: the training `slides`, and the `sheet` that lists them, for errors."""
        return {"slides": self.train, "sheet": self.setting("sheet")}

    def features(self, method: str) -> str | None:
        """Return the feature set of a method.

        Parameters
        ----------
        method : str

        Returns
        -------
        str or None
            None where its kind needs none.
        """
        return self.methods[method].features

    def kind(self, method: str) -> SegmentationKind:
        """Return what a method's kind has of its own.

        Parameters
        ----------
        method : str

        Returns
        -------
        slidecaf.study.kinds.SegmentationKind
        """
        return SEGMENTATION_KINDS[self.methods[method].kind]

    def of_kind(self, kind: str) -> list[str]:
        """Return the methods of a kind.

        Parameters
        ----------
        kind : str

        Returns
        -------
        list of str
        """
        return [method for method, settings in self.methods.items() if settings.kind == kind]

    def mapped(self, method: str) -> list[str]:
        """Return the slides that have a maps file: training slides, and of some kinds test slides too.

        Parameters
        ----------
        method : str

        Returns
        -------
        list of str
        """
        return [*self.train, *(self.test if self.kind(method).maps_test else ())]

    def variants(self, method: str) -> list[str]:
        """Return the variants of a method.

        Parameters
        ----------
        method : str

        Returns
        -------
        list of str
            ``plain``, and ``hard`` where it is retrained with hard examples.
        """
        return ["plain", "hard"] if self.methods[method].hard_examples else ["plain"]

    def is_fused(self, method: str) -> bool:
        """Tell whether a method judges the patches of test slides as the network gives them, with no features file.

        Parameters
        ----------
        method : str

        Returns
        -------
        bool
        """
        return getattr(self._features.get(self.features(method)), "store", "all") == "train"

    def masks(self, slides: Sequence[str]) -> dict[str, dict]:
        """Return the masks of some slides.

        Parameters
        ----------
        slides : sequence of str

        Returns
        -------
        dict of str to dict
            Slide to ``number``, its row in the sheet, and the paths ``mask`` and ``hemorrhage``, empty where there is
            none.
        """
        return self.by_slide(slides, "slide", "number", "mask", "hemorrhage")

    def part_of(self, slide: str) -> str:
        """Return the part that maps a slide.

        Parameters
        ----------
        slide : str

        Returns
        -------
        str
            The part that leaves it out, or ``final`` for a test slide.
        """
        return f"fold-{self.groups[slide]}" if slide in self.groups else "final"


def _split(rows, split):
    return sorted(row.slide for row in rows if row.split == split)
