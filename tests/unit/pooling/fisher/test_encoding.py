"""Encodings against the formulas written out, against scikit-image, and by what they must not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import fisher_vector
from sklearn.mixture import GaussianMixture

from slidecaf.errors import SlidecafError
from slidecaf.pooling.fisher.encoding import Encoder, foreground, improved, membership, unit
from slidecaf.pooling.fisher.mixture import Mixture


def literal(x, mixture):
    """The Fisher vector as the formulas have it, with one term after another."""
    weights, means, deviations = mixture.weights, mixture.means, np.sqrt(mixture.variances)
    T, (L, D) = len(x), means.shape
    of_means, of_deviations = np.zeros((L, D)), np.zeros((L, D))
    for one in x:
        densities = [
            weights[k]
            * np.prod(
                np.exp(-((one - means[k]) ** 2) / (2 * deviations[k] ** 2)) / (np.sqrt(2 * np.pi) * deviations[k])
            )
            for k in range(L)
        ]
        for k in range(L):
            gamma = densities[k] / sum(densities)
            of_means[k] += gamma * (one - means[k]) / deviations[k] / (T * np.sqrt(weights[k]))
            of_deviations[k] += gamma * ((one - means[k]) ** 2 / deviations[k] ** 2 - 1) / (T * np.sqrt(2 * weights[k]))
    return np.concatenate([of_means.ravel(), of_deviations.ravel()])


def drawn(seed, components, dimension):
    generator = np.random.default_rng(seed)
    weights = generator.uniform(0.1, 1, components)
    return Mixture(
        weights / weights.sum(),
        generator.normal(size=(components, dimension)),
        generator.uniform(0.2, 2, (components, dimension)),
    )


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 4), st.integers(1, 12))
def test_a_fisher_vector_is_what_the_formulas_say(seed, components, dimension, count):
    mixture = drawn(seed, components, dimension)
    x = np.random.default_rng(seed + 1).normal(size=(count, dimension))
    found = Encoder(mixture).add(x).fisher()
    assert found.shape == (2 * components * dimension,)
    np.testing.assert_allclose(found, literal(x, mixture), rtol=1e-4, atol=1e-5)


def test_a_fisher_vector_is_scikit_images_but_for_order_and_sign(mixture, descriptors):
    model = GaussianMixture(4, covariance_type="diag")
    model.weights_, model.means_, model.covariances_ = mixture.weights, mixture.means, mixture.variances
    model.precisions_cholesky_ = 1 / np.sqrt(mixture.variances)
    x = descriptors[::5]
    theirs = fisher_vector(x, model)[4:]  # behind the gradients by the weights
    means, deviations = np.split(theirs, 2)
    found = Encoder(mixture).add(x).fisher()
    np.testing.assert_allclose(found, np.concatenate([means, -deviations]), rtol=1e-4, atol=1e-5)


def test_all_components_at_once_and_one_after_another_give_the_same(mixture, descriptors):
    x = descriptors[::3]
    gamma = mixture.posteriors(x).astype(float)
    both = Encoder(mixture).add(x).fisher().reshape(2, 4, 6)
    for k in range(4):
        z = (x - mixture.means[k]) / np.sqrt(mixture.variances[k])
        of_mean = (gamma[:, [k]] * z).mean(axis=0) / np.sqrt(mixture.weights[k])
        of_deviation = (gamma[:, [k]] * (z**2 - 1)).mean(axis=0) / np.sqrt(2 * mixture.weights[k])
        np.testing.assert_allclose(both[:, k], [of_mean, of_deviation], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["fisher", "bow", "vlad"])
def test_neither_order_nor_blocks_of_descriptors_matter(mixture, descriptors, kind):
    x = descriptors[::3]
    whole = getattr(Encoder(mixture).add(x), kind)()
    turned = getattr(Encoder(mixture).add(x[::-1]), kind)()
    parts = getattr(Encoder(mixture).add(x[:17]).add(x[17:18]).add(x[18:]), kind)()
    np.testing.assert_allclose(turned, whole, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(parts, whole, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["fisher", "bow", "vlad"])
def test_descriptors_given_twice_change_nothing(mixture, descriptors, kind):
    x = descriptors[::9]
    once, twice = Encoder(mixture).add(x), Encoder(mixture).add(x).add(x)
    np.testing.assert_allclose(getattr(twice, kind)(), getattr(once, kind)(), rtol=1e-9, atol=1e-12)


def test_fisher_vectors_of_all_that_a_mixture_was_fitted_to_cancel(mixture, descriptors):
    # at the largest likelihood its gradient is zero
    assert np.abs(Encoder(mixture).add(descriptors).fisher()).max() < 0.02
    # two of the five groups share a component, and neither is what it says
    groups = [np.abs(Encoder(mixture).add(group).fisher()).max() for group in np.split(descriptors, 5)]
    assert sum(largest > 0.2 for largest in groups) == 2


def test_a_bag_of_words_counts_the_nearest_components_and_vlad_sums_what_is_left(mixture, descriptors):
    x = descriptors[::4]
    word = mixture.posteriors(x).argmax(axis=1)
    found = Encoder(mixture).add(x)
    np.testing.assert_allclose(found.bow(), [np.mean(word == k) for k in range(4)])
    summed = np.array([sum((one - mixture.means[k] for one in x[word == k]), np.zeros(6)) for k in range(4)]).ravel()
    rooted = np.sign(summed) * np.sqrt(np.abs(summed))
    np.testing.assert_allclose(found.vlad(), rooted / np.linalg.norm(rooted), rtol=1e-6)


def test_improved_vectors_are_signed_roots_of_length_1():
    np.testing.assert_allclose(improved(np.array([[9.0, -16.0, 0.0]])), [[0.6, -0.8, 0]])
    assert improved(np.zeros(3)).tolist() == [0, 0, 0]


def test_foreground_vectors_with_weights_of_1_are_fisher_vectors_of_length_1(mixture, descriptors):
    vector = Encoder(mixture).add(descriptors[::6]).fisher()
    np.testing.assert_allclose(foreground(vector, np.ones(4)), vector / np.linalg.norm(vector))


def test_a_component_without_weight_leaves_the_foreground_vector(mixture, descriptors):
    vectors = np.stack([Encoder(mixture).add(part).fisher() for part in (descriptors[::5], descriptors[1::5])])
    weights = np.array([1.0, 0.0, 2.0, 0.5])
    expected = vectors.reshape(2, 2, 4, 6) * weights[None, None, :, None]
    expected = expected.reshape(2, -1) / np.linalg.norm(expected.reshape(2, -1), axis=1, keepdims=True)
    found = foreground(vectors, weights)
    np.testing.assert_allclose(found, expected)
    assert not found.reshape(2, 2, 4, 6)[:, :, 1].any()
    assert unit(found) == pytest.approx(found)


def test_membership_adds_the_weights_of_the_components_that_a_descriptor_belongs_to(mixture, descriptors):
    posteriors, weights = mixture.posteriors(descriptors[::20]), np.array([0.0, 1.0, 0.5, 2.0])
    expected = [sum(c * g for c, g in zip(weights, row, strict=True)) for row in posteriors.tolist()]
    np.testing.assert_allclose(membership(posteriors, weights), expected, rtol=1e-6)


def test_no_descriptors_and_descriptors_of_another_length_are_refused(mixture):
    with pytest.raises(SlidecafError, match="no descriptor to encode"):
        Encoder(mixture).fisher()
    with pytest.raises(SlidecafError, match="descriptors have 5 values and the mixture 6"):
        Encoder(mixture).add(np.zeros((2, 5)))
