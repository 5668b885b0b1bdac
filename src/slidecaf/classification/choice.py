"""The choice among candidates by cross-validation inside the training rows (paper, sections 3.1 and 3.2)."""

from dataclasses import dataclass
from itertools import product
from math import inf

import numpy as np

from slidecaf.classification.folds import assign_folds, check_inner_folds, class_indices, rarest_class
from slidecaf.classification.selection import ALL, rank_features, select
from slidecaf.classification.svm import LinearSVM, fit_svm
from slidecaf.errors import SlidecafError
from slidecaf.pooling.norms import parse_norm

KEYS = ("features", "norm", "keep", "C")
"""What a candidate is made of, as the config names it."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The chosen candidate, fitted on all training rows.

    Attributes
    ----------
    selection : ndarray of int, shape (keep,)
        The features kept, best first.
    difference : ndarray of float64, shape (D,)
        How far apart the classes' means are in each of all features.
    model : slidecaf.classification.svm.LinearSVM
        Of the selected features, in this order.
    """

    selection: np.ndarray
    difference: np.ndarray
    model: LinearSVM


def choose(
    pooled, labels, groups, *, classes, grid, inner_folds, seed, max_iter, method="the method"
) -> tuple[dict, Fitted]:
    """Choose feature set, norm, number of features kept and C.

    Each candidate is judged by its accuracy over all inner held-out slides, its features selected anew
    from each inner fold's training rows. Of equal candidates the simplest is taken: fewer features kept,
    then the smaller C, then the smaller norm, then the feature set that `grid` lists first. A candidate
    whose SVM does not converge in an inner fold is dropped; so is one that would be chosen, but whose SVM
    does not converge on all training rows. A single candidate needs no cross-validation.

    Parameters
    ----------
    pooled : mapping of (str, float) to ndarray of shape (n, D)
        (feature set, norm as `parse_norm` gives it) to one vector a training row; D may differ between
        feature sets. Read one at a time, so it may load them as they are asked for. Rows without tissue
        are left out before. Callers hand rows in sorted by slide: their order decides the last bits.
    labels : sequence of str, n of them
    groups : sequence of str, n of them
        The patients.
    classes : sequence of str, K of them
        (negative, positive) where there are two.
    grid : dict
        ``features``, ``norm``, ``keep`` and ``C``, each a list of candidates as in the config.
    inner_folds : int
        Wanted; fewer where the rarest class has fewer patients.
    seed : int
        Of the inner folds.
    max_iter : int
        Of `fit_svm`.
    method : str, optional
        What errors call the method.

    Returns
    -------
    choice : dict
        For ``choice.json``.

        chosen : its features, norm, keep and C.
        correct, n, accuracy : of the chosen over the inner held-out slides; None without cross-validation.
        inner_folds, inner_folds_wanted : None and the wish without cross-validation.
        note : one sentence on how it was chosen.
        candidates : every candidate in the order of the grid, with correct and accuracy; None where it was
            dropped on the way, or without cross-validation.
        dropped : candidates dropped, each with its reason.
    fitted : Fitted
        The chosen candidate's selection and SVM of all training rows.

    Raises
    ------
    SlidecafError
        If a class has no row; ``keep`` is above the dimension; there are several candidates and the
        rarest class has one patient; or no candidate converges.
    """
    labels, groups = np.asarray(labels, dtype=str), np.asarray(groups, dtype=str)
    class_indices(labels, classes, where="the training rows")
    candidates = list(product(*(grid[key] for key in KEYS)))

    def rows_of(features, norm):
        name = f"{method}, feature set {features}"
        return _Rows(pooled[features, parse_norm(norm)], labels, classes, max_iter, name)

    correct, count = dict.fromkeys(candidates), None
    if len(candidates) > 1:
        then = "; give one value for each of features, norm, keep and C"
        count = check_inner_folds(labels, groups, inner_folds, method=method, then=then)
        folds = assign_folds(labels, groups, count, seed=seed)
        settings = list(product(grid["keep"], grid["C"]))
        for features, norm in product(grid["features"], grid["norm"]):
            hits = rows_of(features, norm).cross_validate(settings, folds)
            correct |= {(features, norm, *setting): hit for setting, hit in hits.items()}
    reason = f"no convergence in {max_iter} iterations "
    dropped = {c: reason + "in an inner fold" for c in candidates if count and correct[c] is None}

    def rank(candidate):
        features, norm, keep, C = candidate
        kept, place = inf if keep == ALL else keep, grid["features"].index(features)
        return -(correct[candidate] or 0), kept, C, parse_norm(norm), place

    for chosen in sorted((c for c in candidates if c not in dropped), key=rank):
        features, norm, keep, C = chosen
        fitted = rows_of(features, norm).fit(keep, C)
        if fitted.model.converged:
            break
        dropped[chosen] = reason + "on all training rows"
    else:
        raise SlidecafError(
            f"{method}: no candidate's SVM converged in max_iter: {max_iter} iterations; raise max_iter, or "
            "give smaller values of C."
        )

    def judged(candidate):
        hits = correct[candidate]
        return {"correct": hits, "accuracy": None if hits is None else hits / len(labels)}

    choice = {
        "chosen": dict(zip(KEYS, chosen, strict=True)),
        "n": len(labels),
        **judged(chosen),
        "inner_folds": count,
        "inner_folds_wanted": inner_folds,
        "note": _note(count, inner_folds, labels, groups),
        "candidates": [dict(zip(KEYS, c, strict=True)) | judged(c) for c in candidates],
        "dropped": [dict(zip(KEYS, c, strict=True)) | {"reason": dropped[c]} for c in candidates if c in dropped],
    }
    return choice, fitted


class _Rows:
    """The training rows as one feature set and norm have them."""

    def __init__(self, pooled, labels, classes, max_iter, name):
        self.pooled, self.labels = np.asarray(pooled, dtype=np.float64), labels
        self.classes, self.max_iter, self.name = classes, max_iter, name

    def cross_validate(self, settings, folds):
        """Return (keep, C) to hits over all held-out rows; None where an SVM did not converge."""
        hits = dict.fromkeys(settings, 0)
        for fold in np.unique(folds):
            train, held = folds != fold, folds == fold
            _, order = self._rank(train)
            for keep, C in settings:
                if hits[keep, C] is None:
                    continue
                columns = self._columns(order, keep)
                model = self._fit(train, columns, C)
                if model.converged:
                    predicted = model.predict(self.pooled[np.ix_(held, columns)])
                    hits[keep, C] += int((predicted == self.labels[held]).sum())
                else:
                    hits[keep, C] = None
        return hits

    def fit(self, keep, C):
        """Return the selection and the SVM of all rows."""
        rows = np.ones(len(self.labels), dtype=bool)
        difference, order = self._rank(rows)
        selection = self._columns(order, keep)
        return Fitted(selection, difference, self._fit(rows, selection, C))

    def _rank(self, rows):
        return rank_features(self.pooled[rows], self.labels[rows], classes=self.classes)

    def _columns(self, order, keep):
        try:
            return select(order, keep)
        except SlidecafError as error:
            raise SlidecafError(f"{self.name}: {error}") from error

    def _fit(self, rows, columns, C):
        return fit_svm(
            self.pooled[np.ix_(rows, columns)],
            self.labels[rows],
            C=C,
            classes=self.classes,
            max_iter=self.max_iter,
        )


def _note(count, wanted, labels, groups):
    if count is None:
        return "One candidate: nothing to choose."
    if count == wanted:
        return f"Chosen by cross-validation in {count} folds inside the training rows."
    name, patients = rarest_class(labels, groups)
    return (
        f"Chosen by cross-validation in {count} folds inside the training rows instead of {wanted}, since "
        f"class {name} has {len(patients)} patients."
    )
