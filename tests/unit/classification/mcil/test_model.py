from itertools import pairwise

import numpy as np
import pytest

from slidecaf.classification.mcil.model import MCIL, instance_weights, log_likelihood, weak_decision
from slidecaf.errors import SlidecafError


def two_kinds(bags=24, size=12, seed=0):
    """Bags of noise in 5 features; a positive bag has 4 instances that are large in feature 1, or in feature 3."""
    rng = np.random.default_rng(seed)
    features, labels = rng.normal(size=(bags, size, 5)).astype(np.float32), np.arange(bags) % 2 == 0
    kind = np.full((bags, size), -1)
    for bag in np.flatnonzero(labels):
        kind[bag, :4] = (bag // 2) % 2
        features[bag, :4, 1 + 2 * kind[bag, 0]] += 8
    return features.reshape(-1, 5), np.arange(bags + 1) * size, labels, kind.ravel()


def random_scores(K, seed=0):
    rng = np.random.default_rng(seed)
    offsets = np.array([0, 3, 4, 9, 11])
    return rng.normal(size=(11, K)), offsets, np.array([True, False, False, True])


@pytest.mark.parametrize("K", [1, 3])
@pytest.mark.parametrize("exponent", [1, 2.5, 20])
def test_the_likelihood_is_the_generalised_means(K, exponent):
    scores, offsets, labels = random_scores(K)
    expected = 0
    for bag, positive in enumerate(labels):
        p = 1 / (1 + np.exp(-scores[offsets[bag] : offsets[bag + 1]]))
        whole = (sum(value**exponent for value in p.ravel()) / p.size) ** (1 / exponent)
        expected += np.log(whole if positive else 1 - whole)
    np.testing.assert_allclose(log_likelihood(scores, offsets, labels, exponent=exponent), expected, rtol=1e-12)


@pytest.mark.parametrize("K", [1, 3])
@pytest.mark.parametrize("exponent", [1, 20])
def test_the_weights_are_the_likelihoods_gradient(K, exponent):
    scores, offsets, labels = random_scores(K)
    weights = instance_weights(scores, offsets, labels, exponent=exponent)
    for place in np.ndindex(scores.shape):
        more, less = scores.copy(), scores.copy()
        more[place] += 1e-6
        less[place] -= 1e-6
        rise = log_likelihood(more, offsets, labels, exponent=exponent)
        rise -= log_likelihood(less, offsets, labels, exponent=exponent)
        np.testing.assert_allclose(weights[place], rise / 2e-6, rtol=1e-5, atol=1e-8)


def test_scores_that_are_far_out_stay_finite():
    scores, offsets, labels = np.array([[900.0], [900.0], [-900.0], [-900.0]]), np.array([0, 2, 4]), [False, True]
    assert np.isfinite(log_likelihood(scores, offsets, np.array(labels), exponent=20))
    assert np.isfinite(instance_weights(scores, offsets, np.array(labels), exponent=20)).all()


def test_a_weak_classifier_is_the_log_odds_of_two_gaussians_and_limited():
    values = np.array([-0.5, 0.3, 1.1, 1e6])

    def density(x, mean, deviation):
        return np.exp(-(((x - mean) / deviation) ** 2) / 2) / deviation / np.sqrt(2 * np.pi)

    expected = np.log(0.7 * density(values[:3], 1, 0.8) / (0.3 * density(values[:3], 0, 0.5)))
    found = weak_decision(values, (0, 1), (0.5, 0.8), np.log(0.7 / 0.3))
    np.testing.assert_allclose(found[:3], expected, rtol=1e-12)
    assert found[3] == 5


def test_the_search_takes_the_feature_that_a_search_written_out_takes():
    features, offsets, labels, _ = two_kinds(seed=3)
    model = MCIL(rounds=1).fit(features, offsets, labels)
    weights = instance_weights(np.zeros((len(features), 1)), offsets, labels, exponent=20)[:, 0]
    best, gain = None, -np.inf
    for feature, values in enumerate(features.T.astype(np.float64)):
        sides = [(weights < 0), (weights > 0)]
        mean = [np.average(values[side], weights=abs(weights[side])) for side in sides]
        spread = [
            np.sqrt(np.average((values[side] - centre) ** 2, weights=abs(weights[side])))
            for side, centre in zip(sides, mean, strict=True)
        ]
        prior = np.log(weights[sides[1]].sum() / -weights[sides[0]].sum())
        follows = weights @ np.sign(weak_decision(values, mean, spread, prior))
        if follows > gain:
            best, gain = (feature, mean, spread, prior), follows
    assert model.feature_[0, 0] == best[0]
    np.testing.assert_allclose(model.mean_[0, 0], best[1], rtol=1e-9)
    np.testing.assert_allclose(model.deviation_[0, 0], best[2], rtol=1e-9)
    np.testing.assert_allclose(model.prior_[0, 0], best[3], rtol=1e-9)


@pytest.mark.parametrize("K", [1, 2])
def test_the_likelihood_never_falls_and_is_the_models_own(K):
    features, offsets, labels, _ = two_kinds(seed=1)
    features[::2] += np.random.default_rng(2).normal(size=features[::2].shape) * 6
    model = MCIL(K, rounds=25).fit(features, offsets, labels)
    assert (np.diff(model.log_likelihood_) >= 0).all()
    assert model.log_likelihood_[-1] > model.log_likelihood_[0] + 1
    confidence = model.decision_function(features, offsets)
    own = -np.logaddexp(0, np.where(labels, -confidence, confidence)).sum()
    np.testing.assert_allclose(own, model.log_likelihood_[-1], rtol=1e-9)


def test_planted_clusters_are_found_and_the_bags_told_apart():
    features, offsets, labels, _ = two_kinds()
    model = MCIL(2, rounds=20).fit(features, offsets, labels)
    new, _, _, new_kind = two_kinds(seed=9)
    assert ((model.decision_function(new, offsets) > 0) == labels).all()
    positive = new_kind >= 0
    decision = model.instance_decision(new)
    assert decision[positive].min() > np.quantile(decision[~positive], 0.95)
    found = model.membership(new)[positive]
    agree = np.mean(found == new_kind[positive])
    assert max(agree, 1 - agree) > 0.95
    probability = model.instance_probability(new)
    assert probability.shape == (len(new), 2)
    assert (probability.argmax(axis=1) == model.membership(new)).all()


def test_scores_are_recomputed_from_the_models_plain_arrays():
    features, offsets, labels, _ = two_kinds()
    model = MCIL(2, rounds=6).fit(features, offsets, labels)
    h = np.zeros((len(features), 2))
    for t, k in np.ndindex(model.step_.shape):
        x = features[:, model.feature_[t, k]].astype(np.float64)
        gaussians = zip(model.mean_[t, k], model.deviation_[t, k], strict=True)
        down, up = (-(((x - mean) / spread) ** 2) / 2 - np.log(spread) for mean, spread in gaussians)
        h[:, k] += model.step_[t, k] * np.clip(up - down + model.prior_[t, k], -5, 5)
    p = (1 / (1 + np.exp(-h))).reshape(len(labels), -1)
    whole = (p**20).mean(axis=1) ** (1 / 20)
    np.testing.assert_allclose(model.decision_function(features, offsets), np.log(whole / (1 - whole)), rtol=1e-6)


def test_two_fits_and_any_number_of_threads_give_the_same_bits():
    features, offsets, labels, _ = two_kinds()
    features = np.concatenate([features, np.random.default_rng(1).normal(size=(len(features), 30))], axis=1)
    models = [MCIL(2, rounds=8).fit(features, offsets, labels, threads=n) for n in (1, 1, 3)]
    for name in ("feature_", "mean_", "deviation_", "prior_", "step_", "log_likelihood_"):
        assert len({getattr(model, name).tobytes() for model in models}) == 1


def test_the_order_of_bags_and_of_instances_does_not_matter():
    features, offsets, labels, _ = two_kinds()
    model = MCIL(2, rounds=5).fit(features, offsets, labels)
    confidence = model.decision_function(features, offsets)
    rng = np.random.default_rng(4)
    order = rng.permutation(len(labels))
    bags = features.reshape(len(labels), -1, 5)
    shuffled = np.concatenate([rng.permutation(bags[bag]) for bag in order])
    np.testing.assert_allclose(model.decision_function(shuffled, offsets), confidence[order], rtol=1e-9)
    again = MCIL(2, rounds=5).fit(shuffled, offsets, labels[order])
    assert (again.feature_ == model.feature_).all()
    np.testing.assert_allclose(again.decision_function(shuffled, offsets), confidence[order], rtol=1e-3)


def test_a_confidence_does_not_depend_on_the_other_bags():
    features, offsets, labels, _ = two_kinds()
    model = MCIL(rounds=5).fit(features, offsets, labels)
    alone = [model.decision_function(features[a:b], [0, b - a])[0] for a, b in pairwise(offsets)]
    assert np.array(alone).tobytes() == model.decision_function(features, offsets).tobytes()


def test_a_scale_and_a_shift_of_features_and_a_constant_feature_change_nothing():
    features, offsets, labels, _ = two_kinds()
    model = MCIL(rounds=5).fit(features, offsets, labels)
    other = np.concatenate([features * 1000.0 + 500, np.full((len(features), 1), 0.1)], axis=1)
    again = MCIL(rounds=5).fit(other, offsets, labels)
    assert (again.feature_ == model.feature_).all()
    expected = model.decision_function(features, offsets)
    np.testing.assert_allclose(again.decision_function(other, offsets), expected, rtol=1e-3)


def test_rounds_that_cannot_raise_the_likelihood_end_the_fit():
    # Equal bags of both classes: nothing to learn.
    features = np.array([[0.0], [1.0], [0.0], [1.0]])
    model = MCIL(rounds=50).fit(features, [0, 2, 4], [True, False])
    assert len(model.step_) < 50
    assert np.isfinite(model.decision_function(features, [0, 2, 4])).all()


def test_bad_input_is_an_error_that_says_what_to_do():
    features, offsets, labels, _ = two_kinds()
    bad = features.copy()
    bad[7, 2] = np.nan
    for message, change in (
        ("instance 7 has a value that is NaN or infinite; compute it again", {"features": bad}),
        ("no training bag is negative; add one", {"labels": labels | True}),
        ("no training bag is positive; add one", {"labels": labels & False}),
        ("bag 1 has no instance; leave it out", {"offsets": [0, 12, 12, *offsets[3:]]}),
        ("do not run from 0 to the 288 instances", {"offsets": offsets[:-1]}),
        ("3 labels for 24 bags; give one label a bag", {"labels": labels[:3]}),
        ("no feature varies over the training bags; use another", {"features": features * 0}),
        ("no matrix of numbers; give one row", {"features": features[:, 0]}),
    ):
        with pytest.raises(SlidecafError, match=message):
            MCIL(rounds=1).fit(**({"features": features, "offsets": offsets, "labels": labels} | change))
    model = MCIL(rounds=1).fit(features, offsets, labels)
    with pytest.raises(SlidecafError, match="3 values an instance, and the model was fitted to 5; use the feature set"):
        model.decision_function(features[:, :3], offsets)
    with pytest.raises(SlidecafError, match="instance 7 has a value"):
        model.instance_probability(bad)
    for wrong in ({"clusters": 0}, {"rounds": 0}, {"exponent": 0}):
        with pytest.raises(SlidecafError, match=f"{next(iter(wrong))}: 0 is .*; set"):
            MCIL(**wrong)
