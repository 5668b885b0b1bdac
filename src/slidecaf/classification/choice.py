"""The choice among candidates by cross-validation inside the training rows (paper, sections 3.1 and 3.2)."""

from dataclasses import dataclass, replace
from itertools import product
from math import inf

import numpy as np

from slidecaf.classification.folds import assign_folds, check_inner_folds, class_indices, inner_fold_count, rarest_class
from slidecaf.classification.selection import ALL, rank_features, select
from slidecaf.classification.svm import (
    ONE_VS_ONE,
    LinearSVM,
    fit_svm,
    inner_products,
    predicted_classes,
    standard,
)
from slidecaf.errors import SlidecafError
from slidecaf.pooling.norms import parse_norm

KEYS = ("features", "norm", "keep", "C")
"""What a candidate is made of, as the config names it,"""

NONE = "none"
FURTHER = ("scale", "class_weight")
"""and what is named too where the config gives something else than none."""

ACCURACY = "accuracy"


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
    inner : ndarray of float64, shape (n,) or (n, K), or None
        Confidences of the training rows, each by the inner fold's SVM that did not see it; None where there was no
        inner cross-validation, or an SVM did not converge in it.
    """

    selection: np.ndarray
    difference: np.ndarray
    model: LinearSVM
    inner: np.ndarray | None = None


def choose(
    pooled,
    labels,
    groups,
    *,
    classes,
    grid,
    inner_folds,
    seed,
    max_iter,
    scheme=ONE_VS_ONE,
    choose_by=ACCURACY,
    method="the method",
    calibrated=False,
    lists=KEYS,
) -> tuple[dict, Fitted]:
    """Choose feature set, norm, number of features kept, scaling, weights of classes and C.

    Each candidate is judged over all inner held-out slides, its features selected and scaled anew
    from each inner fold's training rows. Of equal candidates the simplest is taken: fewer features kept, then
    features as they are, then classes without weights, then the smaller C, then the smaller norm, then the feature set
    that `grid` lists first. A candidate
    whose SVM does not converge in an inner fold is dropped; so is one that would be chosen, but whose SVM
    does not converge on all training rows. A single candidate needs no cross-validation.

    Parameters
    ----------
    pooled : mapping of (str, float) to ndarray of shape (n, D), or to a function that returns one
        (feature set, norm as `parse_norm` gives it) to one vector a training row; D may differ between
        feature sets. Read one at a time, so it may load them as they are asked for. Rows without tissue
        are left out before. Callers hand rows in sorted by slide: their order decides the last bits.
        Where vectors are themselves learned from rows, a function of the inner fold returns all rows' as learned from
        those that the fold leaves in, and of None as learned from all.
    labels : sequence of str, n of them
    groups : sequence of str, n of them
        The patients.
    classes : sequence of str, K of them
        (negative, positive) where there are two.
    grid : dict
        ``features``, ``norm``, ``keep`` and ``C``, each a list of candidates as in the config; if wished ``scale`` and
        ``class_weight``.
    inner_folds : int
        Wanted; fewer where the rarest class has fewer patients.
    seed : int
        Of the inner folds.
    max_iter : int
    scheme : {"one-vs-one", "one-vs-rest"}, optional
        Of `fit_svm`, as `max_iter`.
    choose_by : {"accuracy", "balanced_accuracy", "auc"}, optional
        What the best candidate has most of: hits; the mean share of hits over the classes; or the area under the curve
        of each class against the rest, of all inner held-out slides together, and its mean over the classes.
    method : str, optional
        What errors call the method.
    calibrated : bool, optional
        Whether a single candidate is cross-validated too, where patients allow it: for `Fitted.inner` alone.
    lists : sequence of str, optional
        What an error calls the lists of candidates beside scale and class_weight; those of `grid` by default.

    Returns
    -------
    choice : dict
        For ``choice.json``.

        chosen : its features, norm, keep and C; scale and class_weight where the grid gives other than ``["none"]``.
        correct, n, accuracy : of the chosen over the inner held-out slides; None without cross-validation.
        balanced_accuracy or auc : the same, where `choose_by` is that.
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
    further = {key: grid.get(key, [NONE]) for key in FURTHER}
    candidates = list(product(*(grid[key] for key in KEYS), *further.values()))
    named = [*KEYS, *(key for key, given in further.items() if given != [NONE])]

    def rows_of(features, norm):
        name = f"{method}, feature set {features}"
        return _Rows(pooled[features, parse_norm(norm)], labels, classes, max_iter, scheme, name)

    found, told, count = dict.fromkeys(candidates), {}, None
    dealt = inner_fold_count(labels, groups, inner_folds) if calibrated else None
    if len(candidates) > 1:
        *most, last = [*lists, *named[len(KEYS) :]]
        then = f"; give one value for each of {', '.join(most)} and {last}"
        dealt = count = check_inner_folds(labels, groups, inner_folds, method=method, then=then)
    if dealt:
        folds = assign_folds(labels, groups, dealt, seed=seed)
        settings = list(product(grid["keep"], grid["C"], *further.values()))
        for features, norm in product(grid["features"], grid["norm"]):
            for setting, confidence in rows_of(features, norm).cross_validate(settings, folds).items():
                told[features, norm, *setting] = confidence
                if count:
                    found[features, norm, *setting] = _judge(labels, confidence, classes, choose_by)
    reason = f"no convergence in {max_iter} iterations "
    dropped = {c: reason + "in an inner fold" for c in candidates if count and found[c] is None}

    def rank(candidate):
        features, norm, keep, C, scale, class_weight = candidate
        kept, place = inf if keep == ALL else keep, grid["features"].index(features)
        simple = kept, scale != NONE, class_weight != NONE, C, parse_norm(norm), place
        return -(found[candidate] or {choose_by: 0})[choose_by], *simple

    for chosen in sorted((c for c in candidates if c not in dropped), key=rank):
        features, norm, *setting = chosen
        fitted = rows_of(features, norm).fit(*setting)
        if fitted.model.converged:
            break
        dropped[chosen] = reason + "on all training rows"
    else:
        raise SlidecafError(
            f"{method}: no candidate's SVM converged in max_iter: {max_iter} iterations; raise max_iter, or "
            "give smaller values of C."
        )
    fitted = replace(fitted, inner=told.get(chosen))

    nothing = dict.fromkeys(["correct", ACCURACY] + ([] if choose_by == ACCURACY else [choose_by]))

    def said(candidate):
        values = dict(zip([*KEYS, *FURTHER], candidate, strict=True))
        return {key: values[key] for key in named}

    choice = {
        "chosen": said(chosen),
        "n": len(labels),
        **(found[chosen] or nothing),
        "inner_folds": count,
        "inner_folds_wanted": inner_folds,
        "note": _note(count, inner_folds, labels, groups),
        "candidates": [said(c) | (found[c] or nothing) for c in candidates],
        "dropped": [said(c) | {"reason": dropped[c]} for c in candidates if c in dropped],
    }
    return choice, fitted


class _Rows:
    """The training rows as one feature set and norm have them."""

    def __init__(self, pooled, labels, classes, max_iter, scheme, name):
        self._of_fold, self.labels = pooled if callable(pooled) else lambda fold: pooled, labels
        self.classes, self.name = classes, name
        self._options = {"classes": classes, "max_iter": max_iter, "scheme": scheme}

    def cross_validate(self, settings, folds):
        """Return (keep, C, scale, class weight) to the held-out rows' confidences, where all SVMs converged."""
        columns = (len(self.labels),) if len(self.classes) == 2 else (len(self.labels), len(self.classes))
        confidence = {setting: np.empty(columns) for setting in settings}
        for fold in np.unique(folds):
            train, held = folds != fold, folds == fold
            pooled = self._pooled(int(fold))
            _, order = self._rank(pooled, train)
            # one after another those that share inner products, which are the larger part of the work
            for keep, scale in dict.fromkeys((keep, scale) for keep, _, scale, _ in settings):
                selection = self._columns(order, keep)
                rows = self._scaled(pooled, train, selection, scale)
                others = (pooled[np.ix_(held, selection)] - rows.mean) / rows.scale
                for setting in settings:
                    if (setting[0], setting[2]) == (keep, scale) and setting in confidence:
                        model = self._fit(rows, setting[1], setting[3])
                        if model.converged:
                            confidence[setting][held] = model.decision(others, together=True)
                        else:
                            del confidence[setting]
        return confidence

    def fit(self, keep, C, scale, class_weight):
        """Return the selection and the SVM of all rows."""
        every = np.ones(len(self.labels), dtype=bool)
        pooled = self._pooled(None)
        difference, order = self._rank(pooled, every)
        selection = self._columns(order, keep)
        rows = self._scaled(pooled, every, selection, scale)
        model = self._fit(rows, C, class_weight)
        return Fitted(selection, difference, model if scale == NONE else model.as_stored(rows.mean, rows.scale))

    def _pooled(self, fold):
        return np.asarray(self._of_fold(fold), dtype=np.float64)

    def _rank(self, pooled, rows):
        return rank_features(pooled[rows], self.labels[rows], classes=self.classes)

    def _columns(self, order, keep):
        try:
            return select(order, keep)
        except SlidecafError as error:
            raise SlidecafError(f"{self.name}: {error}") from error

    def _scaled(self, pooled, rows, columns, scale):
        values = pooled[np.ix_(rows, columns)]
        mean, by = (np.float64(0), np.float64(1)) if scale == NONE else standard(values)
        if scale != NONE:
            values = (values - mean) / by
        return _Scaled(values, self.labels[rows], inner_products(values), mean, by)

    def _fit(self, rows, C, class_weight):
        return fit_svm(
            rows.values, rows.labels, C=C, class_weight=class_weight, products=rows.products, **self._options
        )


@dataclass(frozen=True, eq=False)
class _Scaled:
    """The selected features of some rows, scaled by these, and what all SVMs of them share."""

    values: np.ndarray
    labels: np.ndarray
    products: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def _judge(labels, confidence, classes, choose_by):
    """Return what ``choice.json`` says of a candidate's confidences on slides that their SVMs never saw."""
    hit = predicted_classes(confidence, classes) == labels
    judged = {"correct": int(hit.sum()), ACCURACY: int(hit.sum()) / len(hit)}
    if choose_by == "balanced_accuracy":
        judged[choose_by] = float(np.mean([hit[labels == label].mean() for label in classes]))
    elif choose_by == "auc":
        from sklearn.metrics import roc_auc_score

        told = {classes[1]: confidence} if len(classes) == 2 else dict(zip(classes, confidence.T, strict=True))
        judged[choose_by] = float(np.mean([roc_auc_score(labels == label, known) for label, known in told.items()]))
    return judged


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
