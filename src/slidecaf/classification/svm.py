"""One-vs-one linear support vector machines (paper, section 3.2), kept as plain numbers."""

import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from slidecaf.classification.folds import class_indices
from slidecaf.classification.selection import finite
from slidecaf.errors import SlidecafError


@dataclass(frozen=True, eq=False)
class LinearSVM:
    """A linear SVM a pair of classes.

    Attributes
    ----------
    classes : tuple of str, K of them
        (negative, positive) where there are two.
    pairs : tuple of (str, str), P = K (K - 1) / 2 of them
        In the order of ``itertools.combinations(classes, 2)``. A positive value of
        ``coef[p] @ x + intercept[p]`` speaks for the second of pair p.
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

    def decision(self, features) -> np.ndarray:
        """Return the confidences.

        Parameters
        ----------
        features : ndarray of shape (n, d)
            The selected features, in the order of the fit.

        Returns
        -------
        ndarray of float64 of shape (n,) or (n, K)
            Two classes: the signed score; positive means the positive class. More: one confidence a
            class, scikit-learn's ``decision_function_shape="ovr"``: the pairs won, plus the sum s of the
            pairs' scores squeezed to s / (3 (|s| + 1)), which breaks ties and never outweighs a vote.
            A row's value does not depend on the other rows.

        Raises
        ------
        SlidecafError
            If a feature is NaN or infinite.
        """
        features = finite(features)
        # Not by a matrix product: its last bits change with the number of rows and threads.
        scores = [(features * w).sum(axis=1) + b for w, b in zip(self.coef, self.intercept, strict=True)]
        if len(self.classes) == 2:
            return scores[0]
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
        pairs = tuple(combinations(model.classes, 2))
        if not (
            model.pairs == pairs and model.coef.ndim == 2 and len(model.coef) == len(model.intercept) == len(pairs)
        ):
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


def fit_svm(features, labels, *, C, classes, max_iter) -> LinearSVM:
    """Fit a linear SVM for each pair of classes: scikit-learn's ``SVC(kernel="linear")``.

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
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC

    features = finite(features)
    index = class_indices(labels, classes, where="the training rows")
    solver = SVC(kernel="linear", C=C, max_iter=max_iter, random_state=0)
    with warnings.catch_warnings():
        # fit_status_ says the same, and is handed on.
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(features, index)
    # With two classes scikit-learn's sign speaks for the second, with more for the first of a pair.
    sign = 1.0 if len(classes) == 2 else -1.0
    return LinearSVM(
        classes=tuple(classes),
        pairs=tuple(combinations(classes, 2)),
        coef=sign * solver.coef_,
        intercept=sign * solver.intercept_,
        C=float(C),
        converged=bool(solver.fit_status_ == 0),
        iterations=tuple(int(count) for count in solver.n_iter_),
    )
