"""A mixture of Gaussians with diagonal covariances, and what it says of descriptors."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from slidecaf.errors import SlidecafError
from slidecaf.logs import logger

MAX_ITER = 100
"""Steps of expectation and maximisation by default, after which a mixture is taken as it is."""

LEAST_VARIANCE = 1e-6
"""Added to every variance, of descriptors whose variances together are 1: a component may stand on equal ones."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of L Gaussians of D dimensions.

    Attributes
    ----------
    weights : ndarray of float64, shape (L,)
        Above 0, with sum 1.
    means, variances : ndarray of float64, shape (L, D)
    """

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    @cached_property
    def centre(self) -> np.ndarray:
        """The mean of the whole mixture, shape (D,): descriptors are taken from here, which spares digits."""
        return self.weights @ self.means

    @cached_property
    def _terms(self):
        """Of the log density log w - sum(log(2 pi v) + (x - m)^2 / v) / 2: of x, of its squares, and the rest."""
        means = self.means - self.centre
        rest = (np.log(2 * np.pi * self.variances) + means**2 / self.variances).sum(axis=1)
        linear, square = (means / self.variances).T, (-0.5 / self.variances).T
        return linear.astype(np.float32), square.astype(np.float32), np.log(self.weights) - rest / 2

    def posteriors(self, descriptors) -> np.ndarray:
        """Return how much each component has to do with each descriptor.

        gamma_l(x) = w_l u_l(x) / sum over j of w_j u_j(x), where u_l is the density of component l.

        Parameters
        ----------
        descriptors : ndarray, shape (n, D)
            Any floating type.

        Returns
        -------
        ndarray of float32, shape (n, L)
            Rows have sum 1.
        """
        # products of matrices in 32 bit are most of the work; what they add up to is compared in 64 bit
        x = np.asarray(descriptors - self.centre, dtype=np.float32)
        linear, square, rest = self._terms
        logs = (x @ linear + (x * x) @ square) + rest
        logs -= logs.max(axis=1, keepdims=True)
        found = np.exp(logs.astype(np.float32))
        return found / found.sum(axis=1, keepdims=True)


def fit_mixture(descriptors, components, *, seed, threads=1, max_iter=MAX_ITER) -> Mixture:
    """Fit a mixture to descriptors: scikit-learn's ``GaussianMixture`` with diagonal covariances.

    Parameters
    ----------
    descriptors : ndarray, shape (n, D)
        Of training images only.
    components : int
        L, at most n.
    seed : int
        Of the means that it starts from.
    threads : int, optional
        Last bits depend on it.
    max_iter : int, optional

    Returns
    -------
    Mixture

    Raises
    ------
    SlidecafError
        If there are fewer descriptors than components.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if len(descriptors) < components:
        raise SlidecafError(
            f"fisher.components: {components} is above the {len(descriptors)} descriptors of the training images; "
            f"write {len(descriptors)} or less."
        )
    descriptors = np.asarray(descriptors, dtype=np.float64)
    # variances of descriptors of length 1 are small: what is added to them must be small beside them
    total = descriptors.var(axis=0).sum() or 1.0
    model = GaussianMixture(
        components,
        covariance_type="diag",
        reg_covar=LEAST_VARIANCE * total,
        max_iter=max_iter,
        init_params="k-means++",
        random_state=seed,
    )
    # OpenMP adds what its threads found as they end, in any order; products of matrices are the same with equal threads
    with warnings.catch_warnings(), threadpool_limits({"blas": threads, "openmp": 1}):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(descriptors)
    logger.info("mixture of %d components: %d steps on %d descriptors", components, model.n_iter_, len(descriptors))
    return Mixture(model.weights_, model.means_, model.covariances_)
