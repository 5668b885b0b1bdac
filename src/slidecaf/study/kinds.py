"""The kinds of methods of both tasks: what rules, scores, report and viewer need to know of each.

A kind is its settings, a model in `slidecaf.study.config`; its code, a module or a package of its own; and its entry
here. A plan reads the entry and does not import the code: what a kind needs is loaded in its own jobs, and a raised
revision of one kind reruns no method of another. What is behind decisions and maps asks this table and never a kind by
name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class ClassificationKind:
    """What a kind of the classification has of its own.

    Attributes
    ----------
    module : str
        Of its code, within ``slidecaf``, as `slidecaf.classification.kinds` describes it.
    reads : {"pooled", "features", "encoded", "images"}
        What its jobs read of a slide: one vector for each norm of its settings, the vectors of all its patches, what
        jobs of the part made of these, or its pixels. As `slidecaf.study.layout.Layout` names it. A kind that does not
        read pooled vectors computes with the config's ``threads``. One that reads pixels has rules of its own, and its
        module no ``SOURCE``.
    packages : collection of str
        Packages of slidecaf that its module imports beside ``classification``; a test holds them, with those of the
        rules in `slidecaf.study.steps`, against the module's imports.
    libraries : collection of str
        Whose version may change its values, beside those of `slidecaf.study.steps`.
    shows : collection of str
        ``neurons``, where a feature's weight speaks for a class, so that Figure 5 can be drawn; ``heatmap``, where a
        linear SVM on pooled vectors decides, so that its decision can be shared out among patches (of a network that
        is a matter of its settings); ``patches``, where a patch has a score and a cluster.
    two_classes : bool
        Whether it tells two classes apart and no more.
    caveats : tuple of str
        What has to be said wherever its numbers show.
    """

    module: str
    reads: Literal["pooled", "features", "encoded", "images"]
    packages: Collection[str] = ()
    libraries: Collection[str] = ()
    shows: Collection[str] = ()
    two_classes: bool = False
    caveats: tuple[str, ...] = ()


CLASSIFICATION_KINDS = {
    "svm": ClassificationKind("classification.pooled_svm", "pooled", shows=["neurons", "heatmap"]),
    "fisher": ClassificationKind(
        "classification.fisher.method",
        "encoded",
        packages=["classification.fisher", "features", "pooling", "pooling.fisher", "tiles"],
        libraries=["numpy", "scipy"],
    ),
    "mcil": ClassificationKind(
        "classification.mcil.method",
        "features",
        packages=["classification.mcil", "features", "pooling", "tiles"],
        libraries=["numpy"],
        shows=["patches"],
        two_classes=True,
        caveats=("reimplemented from public descriptions",),
    ),
    "network": ClassificationKind("classification.network", "images"),
    "cam-two-stage": ClassificationKind("classification.network", "images"),
}
"""Kind, as the config writes it, to what has to be known of it; ``fisher`` is a ``svm`` with the key `fisher`."""


@dataclass(frozen=True)
class SegmentationKind:
    """What a kind of segmentation has of its own.

    Attributes
    ----------
    cells : str
        The attribute of `slidecaf.study.layout.Layout` of the files that say where a slide's cells are, as tiles do.
    labels : str
        That of what masks say of these cells.
    models : str
        That of a part's models.
    told_by : tuple of str
        The settings whose candidates have models, and maps, of their own; sorted.
    unused : mapping of str to list
        Settings that came later than their kind, and their value with which results are those of before: with it they
        stand in no file, and no job depends on them.
    maps_test : bool
        Whether test slides have a maps file too, by the final models.
    caveats : tuple of str
        What has to be said wherever its numbers show.
    """

    cells: str
    labels: str
    models: str
    told_by: tuple[str, ...]
    unused: Mapping[str, object] = field(default_factory=dict)
    maps_test: bool = False
    caveats: tuple[str, ...] = ()


SEGMENTATION_KINDS = {
    "svm": SegmentationKind(
        cells="tiles",
        labels="labels",
        models="patch_models",
        told_by=("C", "context"),
        unused={"context": ["none"], "solver": "numpy"},
    ),
    "graph-rlm": SegmentationKind(
        cells="regions",
        labels="region_labels",
        models="region_models",
        told_by=("clusters", "comp_thr", "dist_thr"),
        maps_test=True,
        caveats=(
            "reimplemented from the description: unsupervised regions, labelled by best match on the training slides",
        ),
    ),
}
"""Kind, as the config writes it, to what has to be known of it; a further kind is one more entry."""


def told_apart(method) -> dict:
    """Return the settings of a method of the segmentation whose candidates have models, and maps, of their own.

    Parameters
    ----------
    method : slidecaf.study.config.Settings

    Returns
    -------
    dict of str to list
    """
    return settings_used(method, SEGMENTATION_KINDS[method.kind].told_by)


def settings_used(method, keys) -> dict:
    """Return some settings of a method of the segmentation, without those that it does not use.

    Parameters
    ----------
    method : slidecaf.study.config.Settings
    keys : iterable of str

    Returns
    -------
    dict
        Without keys that have the value which `SegmentationKind.unused` names.
    """
    unused, values = SEGMENTATION_KINDS[method.kind].unused, {key: getattr(method, key) for key in keys}
    return {key: value for key, value in values.items() if key not in unused or value != unused[key]}
