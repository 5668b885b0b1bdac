"""A mixture's posteriors are those of its densities, and it is fitted by scikit-learn the same way each time."""

import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.pooling.fisher.mixture import fit_mixture


def test_posteriors_are_the_components_shares_of_the_density(mixture, descriptors):
    x = descriptors[::7].astype(np.float32)
    expected = np.empty((len(x), 4))
    for t, one in enumerate(x):
        for k in range(4):
            density = np.prod(
                [
                    np.exp(-((v - m) ** 2) / (2 * s)) / np.sqrt(2 * np.pi * s)
                    for v, m, s in zip(one.astype(float), mixture.means[k], mixture.variances[k], strict=True)
                ]
            )
            expected[t, k] = mixture.weights[k] * density
        expected[t] /= expected[t].sum()
    found = mixture.posteriors(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_posteriors_far_from_every_component_are_no_division_by_zero(mixture):
    found = mixture.posteriors(np.full((2, 6), 1e4))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_a_mixture_is_the_same_each_time_and_another_with_another_seed(descriptors):
    first, again, other = (fit_mixture(descriptors, 3, seed=seed) for seed in (0, 0, 1))
    for key in ("weights", "means", "variances"):
        assert getattr(first, key).tobytes() == getattr(again, key).tobytes()
    assert first.means.tobytes() != other.means.tobytes()


def test_equal_descriptors_give_no_variance_of_zero():
    mixture = fit_mixture(np.ones((10, 3)), 2, seed=0)
    assert (mixture.variances > 0).all()
    assert np.isfinite(mixture.posteriors(np.ones((1, 3)))).all()


def test_more_components_than_descriptors_are_refused():
    with pytest.raises(SlidecafError, match=r"fisher.components: 64 is above the 10 descriptors"):
        fit_mixture(np.ones((10, 3)), 64, seed=0)
