"""The kinds of the segmentation's methods: what rules, scores, report and viewer need to know of each.

A kind's settings are a model in `slidecaf.study.config`, its code is its own module; both meet here. What is behind the
maps asks this table and never a kind by name.
"""

from dataclasses import dataclass


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
    maps_test : bool
        Whether test slides have a maps file too, by the final models.
    caveats : tuple of str
        What has to be said wherever its numbers show.
    """

    cells: str
    labels: str
    models: str
    told_by: tuple[str, ...]
    maps_test: bool = False
    caveats: tuple[str, ...] = ()


SEGMENTATION_KINDS = {
    "svm": SegmentationKind(cells="tiles", labels="labels", models="patch_models", told_by=("C",)),
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
"""Kind to what it has of its own; a further kind is one more entry."""
