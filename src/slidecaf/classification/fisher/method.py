"""A ``svm`` with the key ``fisher``: encoded vectors, selected, and a linear SVM on them.

What each of its functions is for stands in `slidecaf.classification.kinds`.
"""

from collections.abc import Mapping
from itertools import product
from math import ceil

import numpy as np
from threadpoolctl import threadpool_limits

from slidecaf.classification.choice import NONE, choose
from slidecaf.classification.fisher.encoded import EncodedVectors
from slidecaf.classification.fisher.mixtures import Codebook, list_codebooks
from slidecaf.classification.fisher.weights import HALVES, learn_weights
from slidecaf.classification.folds import assign_folds, inner_fold_count, rarest_class
from slidecaf.classification.kinds import Learned, Training
from slidecaf.classification.svm import ONE_VS_ONE, LinearSVM
from slidecaf.errors import SlidecafError
from slidecaf.logs import logger
from slidecaf.pooling.fisher.encoding import foreground, improved, unit

SOURCE = EncodedVectors

COPIES = 3
"""Of a matrix of vectors in 64 bit that choice and SVM have in memory at once: all, the selected of some, others."""

LISTS = ("features", "fisher.components", "fisher.kind", "fisher.pca", "keep", "C")
"""Of candidates, as the config names them."""

NORM = 1
"""What stands for the norm among candidates, which have none."""


def fit(training: Training) -> Learned:
    """Choose a candidate, learn its weights of components where it has them, select its values and fit its SVM.

    Parameters
    ----------
    training : Training
        Its settings are a `slidecaf.study.config.ClassificationSvm` with ``fisher``.

    Returns
    -------
    Learned

    Raises
    ------
    SlidecafError
        As `slidecaf.classification.choice.choose`; or if the vectors take more than the memory allowed.
    """
    grid = training.settings.plain()
    candidates = {
        f"{book.features} {kind} components {book.components} pca {book.pca}": (kind, book)
        for book, kind in product(list_codebooks({**grid, **grid["fisher"]}), grid["fisher"]["kind"])
    }
    _check_memory(training, candidates.values())
    vectors = {(name, float(NORM)): _Vectors(training, grid, *candidate) for name, candidate in candidates.items()}
    # products of matrices round otherwise with another number of threads
    with threadpool_limits({"blas": training.threads, "openmp": 1}):
        found, fitted = choose(
            vectors,
            training.labels,
            training.patients,
            classes=training.classes,
            grid={**grid, "features": list(candidates), "norm": [NORM]},
            inner_folds=training.inner_folds,
            seed=training.seed,
            max_iter=grid["max_iter"],
            scheme=grid.get("scheme", ONE_VS_ONE),
            choose_by=grid.get("choose_by", "accuracy"),
            method=training.method,
            calibrated=_calibrated(training, candidates.values()),
            lists=LISTS,
        )
    name = found["chosen"]["features"]
    kind, book = candidates[name]
    found |= {key: _named(found[key], candidates) for key in ("chosen", "candidates", "dropped")}
    for dropped in found["dropped"]:
        logger.warning("dropped: %s", dropped)
    logger.info("chosen: %s. %s", found["chosen"], found["note"])
    weights = vectors[name, float(NORM)].weights
    kept = fitted.selection.tolist()
    encoding = {"kind": kind, "components": book.components, "pca": book.pca}
    if weights is not None:
        encoding["weights"] = weights.tolist()
    return Learned(
        chosen=found["chosen"],
        model={"fisher": encoding, "selection": kept, **fitted.model.to_dict()},
        weights={feature: fitted.difference[feature] for feature in kept},
        measure="difference",
        choice=found,
        inner=fitted.inner,
    )


def decide(model, source: EncodedVectors, slides) -> np.ndarray:
    """Return the SVM's confidences.

    Parameters
    ----------
    model : dict
        ``model.json``.
    source : EncodedVectors
    slides : sequence of str, n of them

    Returns
    -------
    ndarray of float64, shape (n,) or (n, K)

    Raises
    ------
    SlidecafError
        If the model or a file is damaged.
    """
    encoding = model["fisher"]
    book = Codebook(model["features"], encoding["pca"], encoding["components"])
    vectors = source.matrix(book, encoding["kind"], slides).astype(np.float64)
    vectors = finished(vectors, encoding["kind"], encoding.get("weights"))
    return LinearSVM.from_dict(model).decision(vectors[:, model["selection"]])


def finished(vectors, kind, weights=None) -> np.ndarray:
    """Return vectors as the SVM takes them, of those that are stored.

    Parameters
    ----------
    vectors : ndarray, shape (n, D)
    kind : {"fv", "ifv", "ffv", "bow", "vlad"}
    weights : sequence of float, L of them, optional
        Of a foreground Fisher vector's components.

    Returns
    -------
    ndarray, shape (n, D)
        Fisher vectors have length 1, as VLAD has; the shares of a bag of words have the sum 1.
    """
    if kind == "ffv":
        return foreground(vectors, weights)
    return {"fv": unit, "ifv": improved}.get(kind, lambda stored: stored)(vectors)


class _Vectors:
    """The training rows' vectors of a candidate, by inner fold, as `choose` asks for them.

    `weights` are those of components that were learned last, with all rows at the end; None of other kinds.
    """

    def __init__(self, training, grid, kind, book):
        self._training, self._grid, self._kind, self._book, self.weights = training, grid, kind, book, None

    def __call__(self, fold):
        training, book = self._training, self._book
        book = Codebook(book.features, book.pca, book.components, fold)
        vectors = training.source.matrix(book, self._kind, training.slides).astype(np.float64)
        if self._kind == "ffv":
            left_in = np.ones(len(vectors), bool) if fold is None else self._folds() != fold
            self.weights = learn_weights(
                vectors[left_in],
                np.array(training.labels)[left_in],
                np.array(training.patients)[left_in],
                classes=training.classes,
                components=book.components,
                candidates=self._grid["C"],
                seed=training.seed,
                max_iter=self._grid["max_iter"],
            )
        return finished(vectors, self._kind, self.weights)

    def _folds(self):
        """Deal inner folds as `choose` and the mixtures do."""
        labels, patients = self._training.labels, self._training.patients
        count = inner_fold_count(labels, patients, self._training.inner_folds)
        return assign_folds(labels, patients, count, seed=self._training.seed)


def _calibrated(training, candidates):
    """Tell whether inner folds can judge a single candidate: each has to leave weights of ffv two halves."""
    count = inner_fold_count(training.labels, training.patients, training.inner_folds)
    if not training.calibrated or count is None:
        return False
    fewest = len(rarest_class(training.labels, training.patients)[1])
    return not any(kind == "ffv" for kind, _ in candidates) or fewest - ceil(fewest / count) >= HALVES


def _check_memory(training, candidates):
    for kind, book in candidates:
        size, count = training.source.size(book, kind), len(training.slides)
        needed = 8 * count * (COPIES * size + 2 * count) / 2**30
        if needed > training.memory:
            raise SlidecafError(
                f"{training.method}: {count} training slides with {size} values each ({kind} of {book.components} "
                f"components) take {needed:.1f} GiB, and memory is {training.memory:g}; raise memory in the config, or "
                "write fewer fisher.components or a smaller fisher.pca."
            )


def _named(said, candidates):
    """Say a candidate as the config does: feature set and encoding apart, and no norm."""
    if not isinstance(said, Mapping):
        return [_named(one, candidates) for one in said]
    kind, book = candidates[said["features"]]
    encoding = {"features": book.features, "fisher": kind, "components": book.components, "pca": book.pca or NONE}
    return encoding | {key: value for key, value in said.items() if key not in ("features", "norm")}
