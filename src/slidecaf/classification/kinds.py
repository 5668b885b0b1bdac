"""What a kind of method is to the rules: a module with `SOURCE`, `fit` and `decide`.

``SOURCE``
    What it reads of slides: `slidecaf.classification.vectors.PooledVectors`, `slidecaf.classification.bags.Bags` or
    `slidecaf.classification.fisher.encoded.EncodedVectors`.
``fit(training) -> Learned``
    Learns from a part's training slides, a `Training`.
``decide(model, source, slides) -> ndarray``
    Returns the confidences of some slides, shape (n,) with two classes, positive for the positive one, and (n, K) with
    K. ``model`` is what ``model.json`` holds, and every slide has a patch.
``patch_scores(model, vectors) -> (ndarray, ndarray)``
    Returns a score and a cluster of each of some patches. Only where `slidecaf.study.kinds` says that the kind shows
    ``patches``.

`slidecaf.classification.classifier` does the rest for every kind: which slides a part learns from and decides on,
slides without a patch, and the files.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slidecaf.files.manifests import paths_by_set
from slidecaf.study.kinds import CLASSIFICATION_KINDS
from slidecaf.study.names import split_part


@dataclass(frozen=True, eq=False)
class Training:
    """What a part learns from.

    Attributes
    ----------
    source : object
        The kind's `SOURCE` with the training slides.
    slides : list of str
        Those that have a patch, sorted, n of them.
    labels, patients : list of str
        Theirs.
    classes : sequence of str
        (negative, positive) where there are two.
    settings : slidecaf.study.config.Settings
        The method's.
    inner_folds, seed : int
        Of a choice among candidates.
    threads : int
        That may compute; a model does not depend on them.
    memory : float
        GiB that all patches of the slides may take together, or inner products of their vectors.
    method : str
        What errors call the method.
    calibrated : bool
        Whether confidences of inner folds are wanted though there is nothing to choose.
    """

    source: Any
    slides: list
    labels: list
    patients: list
    classes: Sequence[str]
    settings: Any
    inner_folds: int = 3
    seed: int = 0
    threads: int = 1
    memory: float = 8
    method: str = "the method"
    calibrated: bool = False


@dataclass(frozen=True, eq=False)
class Learned:
    """What a part has learnt.

    Attributes
    ----------
    chosen : mapping
        The settings that the model was fitted with; among them ``features``, the feature set, and of pooled vectors
        ``norm``.
    model : mapping
        What `decide` needs beside the feature set, the norm and the classes, as JSON can hold it.
    weights : mapping of int to float
        Feature to how much it counts, the first first: ``selection.tsv``.
    measure : str
        What this is called there.
    choice : mapping
        What ``choice.json`` says beside `chosen`; empty where there was one candidate.
    inner : ndarray or None
        Confidences of the training slides, as ``decide`` gives them, each by an inner model that did not see it; None
        where there was no inner cross-validation.
    """

    chosen: Mapping
    model: Mapping
    weights: Mapping
    measure: str = "weight"
    choice: Mapping = field(default_factory=dict)
    inner: Any = None


def module_of(kind):
    """Import the code of a kind.

    Parameters
    ----------
    kind : str
        As the config writes it.

    Returns
    -------
    module
        With ``SOURCE``, ``fit`` and ``decide``.
    """
    return importlib.import_module(f"slidecaf.{CLASSIFICATION_KINDS[kind].module}")


def files_read(kind, paths):
    """Return what the `SOURCE` of a kind reads.

    Parameters
    ----------
    kind : str
        An entry of `slidecaf.study.kinds`.
    paths : iterable of path-like
        A job's inputs: manifests, or the one file of encoded vectors.

    Returns
    -------
    dict of str to dict of str to str, or path-like
        Feature set to slide to path; or the file.
    """
    if CLASSIFICATION_KINDS[kind].reads == "encoded":
        return paths
    return sets_read(paths)


def sets_read(paths, *, among=None):
    """Return where the files of several feature sets are, each under the name that the config and methods know.

    Parameters
    ----------
    paths : iterable of path-like
        Manifests; of a feature set that is computed once a part, those of one part.
    among : collection of str, optional
        Only these slides.

    Returns
    -------
    dict of str to dict of str to str
        Feature set to slide to path.

    Raises
    ------
    ValueError
        If manifests are of several parts.
    """
    found = paths_by_set(paths, among=among)
    named = {split_part(name)[0]: own for name, own in found.items()}
    if len(named) < len(found):
        raise ValueError(f"features of several parts' networks at once: {', '.join(found)}")
    return named
