"""From an image's descriptors to one vector: Fisher vectors, a bag of words, VLAD.

Perronnin and Dance (2007) for `fisher`, Perronnin et al. (2010) for `improved`, Pan et al. (2019) for `foreground`,
Sivic and Zisserman (2003) for `bow`, Jegou et al. (2010, 2012) for `vlad`.
"""

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.pooling.fisher.mixture import Mixture

ROWS = 4096
"""Descriptors that are looked at together."""


class Encoder:
    """Encode an image's descriptors, taken in some at a time; memory does not depend on how many there are.

    Sums' last bits depend on where blocks end: for equal bytes, feed equal blocks.

    Parameters
    ----------
    mixture : Mixture
        Of L components and D dimensions.

    Attributes
    ----------
    count : int
        Descriptors seen so far, T.
    """

    def __init__(self, mixture: Mixture):
        self.mixture, self.count = mixture, 0
        shape = mixture.means.shape
        self._mass, self._first, self._second = np.zeros(shape[0]), np.zeros(shape), np.zeros(shape)
        self._words, self._residuals = np.zeros(shape[0]), np.zeros(shape)

    def add(self, descriptors) -> "Encoder":
        """Take in descriptors.

        Parameters
        ----------
        descriptors : ndarray, shape (n, D)
            Any floating type.

        Returns
        -------
        Encoder
            Itself.

        Raises
        ------
        SlidecafError
            If their length is not the mixture's.
        """
        if descriptors.shape[1] != len(self.mixture.centre):
            raise SlidecafError(
                f"descriptors have {descriptors.shape[1]} values and the mixture {len(self.mixture.centre)}; delete "
                "the mixture's file and run again."
            )
        for start in range(0, len(descriptors), ROWS):
            self._add(np.asarray(descriptors[start : start + ROWS], dtype=np.float64))
        return self

    def _add(self, x):
        posteriors = self.mixture.posteriors(x)
        x, gamma = x - self.mixture.centre, posteriors.astype(np.float64)
        self.count += len(x)
        self._mass += gamma.sum(axis=0)
        self._first += gamma.T @ x
        self._second += gamma.T @ (x * x)
        word = posteriors.argmax(axis=1)
        self._words += np.bincount(word, minlength=len(self._words))
        np.add.at(self._residuals, word, x)

    def fisher(self) -> np.ndarray:
        """Return the Fisher vector: gradients of the log likelihood by means and deviations, made alike in scale.

        G_mu,l = 1 / (T sqrt(w_l)) * sum over t of gamma_l(x_t) (x_t - mu_l) / sigma_l;
        G_sigma,l = 1 / (T sqrt(2 w_l)) * sum over t of gamma_l(x_t) ((x_t - mu_l)^2 / sigma_l^2 - 1).

        Returns
        -------
        ndarray of float64, shape (2 L D,)
            (G_mu,1, ..., G_mu,L, G_sigma,1, ..., G_sigma,L). scikit-image's has L gradients by the weights in front,
            and deviations with the other sign.

        Raises
        ------
        SlidecafError
            If no descriptor was taken in.
        """
        self._check()
        weights, means = self.mixture.weights[:, None], self.mixture.means - self.mixture.centre
        deviations, mass = np.sqrt(self.mixture.variances), self._mass[:, None]
        of_means = (self._first - means * mass) / (deviations * np.sqrt(weights))
        squares = (self._second - 2 * means * self._first + means**2 * mass) / self.mixture.variances
        of_deviations = (squares - mass) / np.sqrt(2 * weights)
        return np.concatenate([of_means.ravel(), of_deviations.ravel()]) / self.count

    def bow(self) -> np.ndarray:
        """Return the bag of words: the share of descriptors that each component has most to do with.

        Returns
        -------
        ndarray of float64, shape (L,)

        Raises
        ------
        SlidecafError
            If no descriptor was taken in.
        """
        self._check()
        return self._words / self.count

    def vlad(self) -> np.ndarray:
        """Return the vector of locally aggregated descriptors: their differences from their component's mean, summed.

        A descriptor counts for the component that has most to do with it. What is returned is `improved`.

        Returns
        -------
        ndarray of float64, shape (L D,)

        Raises
        ------
        SlidecafError
            If no descriptor was taken in.
        """
        self._check()
        means = self.mixture.means - self.mixture.centre
        return improved((self._residuals - means * self._words[:, None]).ravel())

    def _check(self):
        if not self.count:
            raise SlidecafError("no descriptor to encode; leave the image out.")


def unit(vectors) -> np.ndarray:
    """Return vectors of length 1 (L2); a vector of zeros stays one.

    Parameters
    ----------
    vectors : ndarray, shape (..., D)

    Returns
    -------
    ndarray, shape (..., D)
    """
    length = np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))
    return vectors / np.where(length > 0, length, 1)


def improved(vectors) -> np.ndarray:
    """Return improved Fisher vectors: the signed square root of every value, then length 1.

    Parameters
    ----------
    vectors : ndarray, shape (..., D)

    Returns
    -------
    ndarray, shape (..., D)

    Examples
    --------
    >>> improved(np.array([9.0, -16.0])).tolist()
    [0.6, -0.8]
    """
    return unit(np.sign(vectors) * np.sqrt(np.abs(vectors)))


def foreground(vectors, weights) -> np.ndarray:
    """Return foreground Fisher vectors: each component's gradients by its weight, then length 1.

    Parameters
    ----------
    vectors : ndarray, shape (..., 2 L D)
        From `Encoder.fisher`.
    weights : ndarray, shape (L,)
        From 0; 1 throughout leaves Fisher vectors of length 1.

    Returns
    -------
    ndarray, shape (..., 2 L D)
    """
    parts = vectors.reshape(*vectors.shape[:-1], 2, len(weights), -1)
    return unit((parts * np.asarray(weights, dtype=vectors.dtype)[:, None]).reshape(vectors.shape))


def membership(posteriors, weights) -> np.ndarray:
    """Return how much descriptors belong to the foreground: mg(x) = sum over l of c_l gamma_l(x).

    Parameters
    ----------
    posteriors : ndarray, shape (n, L)
        From `Mixture.posteriors`.
    weights : ndarray, shape (L,)
        From 0.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    return posteriors.astype(np.float64) @ np.asarray(weights, dtype=np.float64)
