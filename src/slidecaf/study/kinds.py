"""The kinds of methods of the classification: which module a kind's code is, and what its jobs read and depend on.

A kind is its settings, a model in `slidecaf.study.config`; its code, a module that `slidecaf.classification.kinds`
describes; and its entry here. A plan reads the entry and does not import the module: what a kind needs is loaded in its
own jobs, and a raised revision of one kind reruns no method of another.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Kind:
    """What the workflow has to know of a kind.

    Attributes
    ----------
    module : str
        Of its code, within ``slidecaf``.
    reads : {"pooled", "features"}
        What its jobs read of a slide: one vector for each norm of its settings, or the vectors of all its patches. As
        `slidecaf.study.layout.Layout` names it. A kind that reads all patches computes with the config's ``threads``.
    packages : collection of str
        Packages of slidecaf that its module imports beside ``classification``; a test holds them, with those of the
        rules in `slidecaf.study.steps`, against the module's imports.
    libraries : collection of str
        Whose version may change its values, beside those of `slidecaf.study.steps`.
    shows : collection of str
        ``neurons``, where a feature's weight speaks for a class, so that Figure 5 can be drawn; ``patches``, where a
        patch has a score and a cluster.
    two_classes : bool
        Whether it tells two classes apart and no more.
    """

    module: str
    reads: Literal["pooled", "features"]
    packages: Collection[str] = ()
    libraries: Collection[str] = ()
    shows: Collection[str] = ()
    two_classes: bool = False


CLASSIFICATION = {
    "svm": Kind("classification.pooled_svm", "pooled", shows=["neurons"]),
    "mcil": Kind(
        "classification.mcil.method",
        "features",
        packages=["classification.mcil", "features", "pooling", "tiles"],
        libraries=["numpy"],
        shows=["patches"],
        two_classes=True,
    ),
}
"""Kind, as the config writes it, to what has to be known of it."""
