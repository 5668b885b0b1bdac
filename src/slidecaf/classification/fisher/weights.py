"""The weights of a mixture's components for foreground Fisher vectors (Pan et al., 2019).

One half of the training images teaches a linear classifier, and the weights c_l, from 0, are those with which it tells
the other half best: C = argmax of the hits of P((G * C) / ||G * C||), where a component's gradients share a weight.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from slidecaf.classification.folds import assign_folds, class_indices, inner_fold_count, rarest_class
from slidecaf.classification.svm import fit_svm, inner_products
from slidecaf.errors import SlidecafError
from slidecaf.logs import logger
from slidecaf.pooling.fisher.encoding import unit

HALVES = 2

STEPS = 200
"""Of the solver, at most."""

TEMPERATURES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""By which scores become probabilities: the one with which weights of 1 are most likely is taken."""

TRIED = 20
"""Places on the way from weights of 1 to the most likely ones at which hits are counted."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a linear classifier says of vectors, component by component: all that weights need to know.

    With weights c an image's scores are (sum over l of c_l by_component_l) / sqrt(sum of c_l^2 squares_l) + intercept.

    Attributes
    ----------
    by_component : ndarray of float64, shape (n, K, L)
    squares : ndarray of float64, shape (n, L)
        Squared lengths of the components' gradients.
    intercept : ndarray of float64, shape (K,)
    truth : ndarray of int, shape (n,)
        The place of the right class.
    """

    by_component: np.ndarray
    squares: np.ndarray
    intercept: np.ndarray
    truth: np.ndarray

    def of(self, weights) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores without the intercept, shape (n, K), and the vectors' lengths, shape (n,).

        Parameters
        ----------
        weights : ndarray, shape (L,)

        Returns
        -------
        ndarray, ndarray
        """
        length = np.sqrt(self.squares @ weights**2)
        length = np.where(length > 0, length, 1)
        return self.by_component @ weights / length[:, None], length

    def hits(self, weights) -> int:
        """Return how many images are told right.

        Parameters
        ----------
        weights : ndarray, shape (L,)

        Returns
        -------
        int
        """
        return int(((self.of(weights)[0] + self.intercept).argmax(axis=1) == self.truth).sum())

    def loss(self, weights, temperature) -> tuple[float, np.ndarray]:
        """Return the mean negative log likelihood of the right classes, and its gradient.

        Parameters
        ----------
        weights : ndarray, shape (L,)
        temperature : float
            What scores are multiplied by before they become probabilities.

        Returns
        -------
        float, ndarray of shape (L,)
        """
        scores, length = self.of(weights)
        logs = temperature * (scores + self.intercept)
        logs -= logs.max(axis=1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        count = np.arange(len(self.truth))
        slope = np.exp(logs)
        slope[count, self.truth] -= 1
        slope *= temperature / len(count)
        gradient = np.einsum("nk,nkl->l", slope / length[:, None], self.by_component)
        gradient -= weights * (((slope * scores).sum(axis=1) / length**2) @ self.squares)
        return -logs[count, self.truth].mean(), gradient


def most_likely(scores: Scores) -> np.ndarray:
    """Return weights with which a classifier tells images best.

    Hits are steps, which no gradient climbs. So the likelihood of the right classes is made largest first, and of the
    places on the straight way there from weights of 1 that with the most hits is taken, the nearest to 1 of several.

    Parameters
    ----------
    scores : Scores

    Returns
    -------
    ndarray of float64, shape (L,)
        From 0, with mean 1.
    """
    ones = np.ones(scores.squares.shape[1])
    temperature = min(TEMPERATURES, key=lambda tried: scores.loss(ones, tried)[0])
    found = minimize(
        scores.loss,
        ones,
        args=(temperature,),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * len(ones),
        options={"maxiter": STEPS},
    ).x
    # their scale means nothing: vectors get length 1
    found = found / found.mean() if found.any() else ones
    way = [ones + share * (found - ones) for share in np.linspace(0, 1, TRIED + 1)]
    return max(way, key=scores.hits)


def component_scores(model, vectors, labels, components) -> Scores:
    """Return what a linear SVM says of Fisher vectors, component by component.

    Parameters
    ----------
    model : slidecaf.classification.svm.LinearSVM
        Of all values of the vectors. A class's score is the sum of what its pairs say for it.
    vectors : ndarray, shape (n, 2 L D)
        Of length 1.
    labels : sequence of str, n of them
    components : int
        L.

    Returns
    -------
    Scores
    """
    classes = model.classes
    sign = np.zeros((len(classes), len(model.pairs)))
    for pair, names in enumerate(model.pairs):
        for value, name in zip((-1, 1), names, strict=True):
            if name in classes:
                sign[classes.index(name), pair] = value
    coef = (sign @ model.coef).reshape(len(classes), 2, components, -1)
    parts = vectors.reshape(len(vectors), 2, components, -1)
    by_component = np.stack(
        [
            parts[:, :, k].reshape(len(vectors), -1) @ coef[:, :, k].reshape(len(classes), -1).T
            for k in range(components)
        ],
        axis=2,
    )
    truth = np.array([classes.index(label) for label in labels])
    return Scores(by_component, (parts**2).sum(axis=(1, 3)), sign @ model.intercept, truth)


def learn_weights(vectors, labels, groups, *, classes, components, candidates, seed, max_iter) -> np.ndarray:
    """Learn the weights of a mixture's components from training images.

    Parameters
    ----------
    vectors : ndarray, shape (n, 2 L D)
        Fisher vectors of the training images, as `slidecaf.pooling.fisher.encoding.Encoder.fisher` gives them.
    labels : sequence of str, n of them
    groups : sequence of str, n of them
        The patients, none of which is in both halves.
    classes : sequence of str, K of them
    components : int
        L.
    candidates : sequence of float
        The classifier's C; that with the most hits on the other half is taken, the smallest of several.
    seed : int
        Of the halves.
    max_iter : int
        Of `slidecaf.classification.svm.fit_svm`.

    Returns
    -------
    ndarray of float64, shape (L,)
        From 0, with mean 1.

    Raises
    ------
    SlidecafError
        If a class has one patient, so that no halves have it both, or no classifier converges.
    """
    labels, groups = np.asarray(labels, dtype=str), np.asarray(groups, dtype=str)
    class_indices(labels, classes, where="the training rows")
    if inner_fold_count(labels, groups, HALVES) is None:
        name, patients = rarest_class(labels, groups)
        raise SlidecafError(
            "fisher.kind: ffv learns weights from one half of the training rows and judges them on the other, and "
            f"class {name} has one patient ({patients[0]}) in them; leave ffv out, or add patients."
        )
    held_back = assign_folds(labels, groups, HALVES, seed=seed) == 1
    vectors = unit(vectors)
    products = inner_products(vectors[~held_back])
    judged = []
    for C in sorted(candidates):
        model = fit_svm(
            vectors[~held_back], labels[~held_back], C=C, classes=classes, max_iter=max_iter, products=products
        )
        if model.converged:
            scores = component_scores(model, vectors[held_back], labels[held_back], components)
            judged.append((scores.hits(np.ones(components)), scores))
    if not judged:
        raise SlidecafError(
            f"no SVM converged in max_iter: {max_iter} iterations for the weights of ffv; raise max_iter, or give "
            "smaller values of C."
        )
    before, scores = max(judged, key=lambda one: one[0])
    weights = most_likely(scores)
    logger.info(
        "weights of %d components: %d of %d held back are right, before %d",
        *(components, scores.hits(weights), held_back.sum(), before),
    )
    return weights
