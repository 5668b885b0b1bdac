"""Linear support vector machines of pairs of classes (paper, section 3.2), or of each class and the others.

They are kept as plain numbers. What an SVM learns from rows is their inner products alone: these are made once, by one
product of matrices, and serve every pair, C and weight, where libsvm makes them anew for each and row by row.
"""

import warnings
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from slidecaf.classification.folds import class_indices
from slidecaf.classification.selection import finite
from slidecaf.errors import SlidecafError

ONE_VS_ONE, ONE_VS_REST = "one-vs-one", "one-vs-rest"

REST = ""
"""In a pair: all other classes."""


@dataclass(frozen=True, eq=False)
class LinearSVM:
    """A linear SVM a pair of classes, or with more than two classes one a class.

    Attributes
    ----------
    classes : tuple of str, K of them
        (negative, positive) where there are two.
    pairs : tuple of (str, str), P of them
        One-vs-one K (K - 1) / 2, in the order of ``itertools.combinations(classes, 2)``; one-vs-rest K, each of an
        empty text, which stands for all others, and a class. A positive value of ``coef[p] @ x + intercept[p]`` speaks
        for the second of pair p.
    coef : ndarray of float64 of shape (P, d)
    intercept : ndarray of float64 of shape (P,)
    C : float
    converged : bool
        False where a pair's solver stopped at ``max_iter``.
    iterations : tuple of int, P of them
    """

    classes: tuple
    pairs: tuple
    coef: np.ndarray
    intercept: np.ndarray
    C: float
    converged: bool
    iterations: tuple

    def decision(self, features, *, together=False) -> np.ndarray:
        """Return the confidences.

        Parameters
        ----------
        features : ndarray of shape (n, d)
            The selected features, in the order of the fit.
        together : bool, optional
            Whether all rows go into one product of matrices, which is many times faster with many classes. The last
            bits of a row's value then depend on how many others there are.

        Returns
        -------
        ndarray of float64 of shape (n,) or (n, K)
            Two classes: the signed score; positive means the positive class. More: one confidence a
            class. One-vs-one it is scikit-learn's ``decision_function_shape="ovr"``: the pairs won, plus the sum s of
            the pairs' scores squeezed to s / (3 (|s| + 1)), which breaks ties and never outweighs a vote.
            One-vs-rest it is the score of the class against the others.
            Without `together` a row's value does not depend on the other rows.

        Raises
        ------
        SlidecafError
            If a feature is NaN or infinite.
        """
        features = finite(features)
        if together:
            scores = (features @ self.coef.T + self.intercept).T
        else:
            # Not by a matrix product: its last bits change with the number of rows and threads.
            scores = [(features * w).sum(axis=1) + b for w, b in zip(self.coef, self.intercept, strict=True)]
        if len(self.classes) == 2:
            return scores[0]
        if self.pairs == _pairs(self.classes, ONE_VS_REST):
            return np.stack(scores, axis=1)
        votes, sums = np.zeros((2, len(features), len(self.classes)))
        for (first, second), score in zip(combinations(range(len(self.classes)), 2), scores, strict=True):
            votes[:, second] += score > 0
            votes[:, first] += score <= 0
            sums[:, second] += score
            sums[:, first] -= score
        return votes + sums / (3 * (np.abs(sums) + 1))

    def predict(self, features) -> np.ndarray:
        """Return the predicted classes.

        Parameters
        ----------
        features : ndarray of shape (n, d)

        Returns
        -------
        ndarray of str of shape (n,)
            The class of the largest confidence, the first of several; with two classes the positive one
            where the confidence is above 0.

        Raises
        ------
        SlidecafError
            If a feature is NaN or infinite.
        """
        return predicted_classes(self.decision(features), self.classes)

    def as_stored(self, mean, scale) -> "LinearSVM":
        """Return the SVM for features as stored, of one that was fitted to standardised ones.

        Parameters
        ----------
        mean, scale : ndarray of shape (d,)
            From `standard`.

        Returns
        -------
        LinearSVM
            Whose ``coef @ x + intercept`` is that of ``(x - mean) / scale``.
        """
        coef = self.coef / scale
        return replace(self, coef=coef, intercept=self.intercept - (coef * mean).sum(axis=1))

    def to_dict(self) -> dict:
        """Return the model as JSON can hold it: every float reads back to the same number.

        Returns
        -------
        dict
        """
        return {
            "classes": list(self.classes),
            "pairs": [list(pair) for pair in self.pairs],
            "coef": self.coef.tolist(),
            "intercept": self.intercept.tolist(),
            "C": self.C,
            "converged": self.converged,
            "iterations": list(self.iterations),
        }

    @classmethod
    def from_dict(cls, stored) -> "LinearSVM":
        """Return the model that `to_dict` stored.

        Parameters
        ----------
        stored : dict

        Returns
        -------
        LinearSVM

        Raises
        ------
        SlidecafError
            If an entry is missing or the sizes do not agree: the file is damaged.
        """
        try:
            model = cls(
                classes=tuple(stored["classes"]),
                pairs=tuple(tuple(pair) for pair in stored["pairs"]),
                coef=np.array(stored["coef"], dtype=np.float64),
                intercept=np.array(stored["intercept"], dtype=np.float64),
                C=stored["C"],
                converged=stored["converged"],
                iterations=tuple(stored["iterations"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SlidecafError(f"the model is damaged ({error!r}); delete its file and run again.") from error
        known = model.pairs in (_pairs(model.classes, scheme) for scheme in (ONE_VS_ONE, ONE_VS_REST))
        if not (known and model.coef.ndim == 2 and len(model.coef) == len(model.intercept) == len(model.pairs)):
            raise SlidecafError("the model is damaged (sizes do not agree); delete its file and run again.")
        return model


def predicted_classes(confidence, classes) -> np.ndarray:
    """Return the class that each confidence means.

    Parameters
    ----------
    confidence : ndarray of shape (n,) or (n, K)
        From `LinearSVM.decision`.
    classes : sequence of str, K of them

    Returns
    -------
    ndarray of str of shape (n,)
    """
    index = (confidence > 0).astype(int) if len(classes) == 2 else confidence.argmax(axis=1)
    return np.array(classes)[index]


def _pairs(classes, scheme):
    """Return what is told apart; with two classes both schemes are one."""
    if scheme == ONE_VS_REST and len(classes) > 2:
        return tuple((REST, label) for label in classes)
    return tuple(combinations(classes, 2))


def standard(features) -> tuple[np.ndarray, np.ndarray]:
    """Return by what features are standardised: to mean 0 and deviation 1 over the rows given, the training rows.

    Parameters
    ----------
    features : ndarray of shape (n, d)

    Returns
    -------
    mean, scale : ndarray of float64 of shape (d,)
        The scale is the standard deviation (division by n), and 1 for a feature that does not vary.

    Examples
    --------
    >>> mean, scale = standard(np.array([[0.0, 5.0], [4.0, 5.0]]))
    >>> mean.tolist(), scale.tolist()
    ([2.0, 5.0], [2.0, 1.0])
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    # what rounding leaves of a feature that does not vary is no scale
    return mean, np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)


def inner_products(features) -> np.ndarray:
    """Return the inner products of all rows with each other: what SVMs of these rows learn from.

    Parameters
    ----------
    features : ndarray of float64 of shape (n, d)

    Returns
    -------
    ndarray of float64 of shape (n, n)
    """
    return features @ features.T


def fit_svm(
    features, labels, *, C, classes, max_iter, class_weight="none", scheme=ONE_VS_ONE, products=None
) -> LinearSVM:
    """Fit a linear SVM for each pair of classes, or for each class: scikit-learn's ``SVC(kernel="linear")``.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        The selected features of the training rows. Their order decides the last bits.
    labels : sequence of str, n of them
    C : float
        Above 0; small means a wide margin.
    classes : sequence of str, K of them
        (negative, positive) where there are two.
    max_iter : int
        Iterations after which a pair's solver gives up; -1 for never.
    class_weight : {"none", "balanced"}, optional
        Whether the C of each class is divided by its share of rows and by the number of classes, as scikit-learn's
        ``class_weight="balanced"`` does; one-vs-rest, of the class and of the others, which count as one.
    scheme : {"one-vs-one", "one-vs-rest"}, optional
        What is told apart where there are more than two classes.
    products : ndarray of float64 of shape (n, n), optional
        `inner_products` of the features, where they are known already.

    Returns
    -------
    LinearSVM
        Look at `LinearSVM.converged` before using it.

    Raises
    ------
    SlidecafError
        If a feature is NaN or infinite, a class has no row, or a label is no class.

    Examples
    --------
    >>> features = np.array([[0.0], [1.0], [3.0], [4.0]])
    >>> model = fit_svm(features, ["LGG", "LGG", "GBM", "GBM"], C=1.0, classes=["LGG", "GBM"], max_iter=-1)
    >>> model.converged
    True
    >>> model.decision(np.array([[0.0], [4.0]])).round(3)
    array([-2.,  2.])
    >>> model.predict(np.array([[0.0], [4.0]])).tolist()
    ['LGG', 'GBM']
    """
    features = finite(features)
    index = class_indices(labels, classes, where="the training rows")
    products = inner_products(features) if products is None else products
    options = {"C": C, "max_iter": max_iter, "class_weight": None if class_weight == "none" else class_weight}
    pairs = _pairs(classes, scheme)
    told_apart = [index] if pairs == _pairs(classes, ONE_VS_ONE) else [index == k for k in range(len(classes))]
    solved = [_solve(features, own, products, options) for own in told_apart]
    return LinearSVM(
        classes=tuple(classes),
        pairs=pairs,
        coef=np.concatenate([coef for coef, *_ in solved]),
        intercept=np.concatenate([intercept for _, intercept, _ in solved]),
        C=float(C),
        converged=all(solver.fit_status_ == 0 for *_, solver in solved),
        iterations=tuple(int(count) for *_, solver in solved for count in solver.n_iter_),
    )


def _solve(features, index, products, options):
    """Return weights and intercepts of the SVMs of all pairs of classes, and scikit-learn's solver."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC

    solver = SVC(kernel="precomputed", random_state=0, **options)
    with warnings.catch_warnings():
        # fit_status_ says the same, and is handed on.
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(products, index)
    vectors = features[solver.support_]
    if len(solver.classes_) == 2:
        return solver.dual_coef_ @ vectors, solver.intercept_, solver
    # Of a class's support vectors the row of each other class, in order: its part in the weights of their pair.
    ends = np.cumsum(solver.n_support_)
    parts = [
        solver.dual_coef_[:, start:end] @ vectors[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    coef = np.array([parts[a][b - 1] + parts[b][a] for a, b in combinations(range(len(ends)), 2)])
    # With more than two classes scikit-learn's sign speaks for the first of a pair.
    return -coef, -solver.intercept_, solver
