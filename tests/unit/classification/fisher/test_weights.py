"""Weights of components are those with which a classifier tells the other half best."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from slidecaf.classification.fisher.weights import component_scores, learn_weights, most_likely
from slidecaf.classification.svm import fit_svm
from slidecaf.errors import SlidecafError
from slidecaf.pooling.fisher.encoding import foreground, unit

L, D = 4, 3


def drawn(count, classes, *, seed=0, noise=30.0):
    """Vectors in whose components 0 and 1 the classes differ; those of component 3 are large and say nothing."""
    generator = np.random.default_rng(seed)
    labels = np.array([classes[i % len(classes)] for i in range(count)])
    vectors = generator.normal(size=(count, 2, L, D)) * 0.3
    for k, name in enumerate(classes):
        vectors[labels == name, 0, k % 2, k % D] += 1 if k < 2 else -1
    vectors[:, :, 3] += generator.normal(size=(count, 2, D)) * noise
    return vectors.reshape(count, -1), labels


@pytest.fixture(params=[["a", "b"], ["a", "b", "c"]])
def classes(request):
    return request.param


def test_scores_by_component_add_up_to_those_of_the_weighted_vectors(classes):
    vectors, labels = drawn(30, classes)
    model = fit_svm(unit(vectors), labels, C=1, classes=classes, max_iter=-1)
    weights = np.array([0.5, 2.0, 0.0, 1.0])
    found, _ = component_scores(model, unit(vectors), labels, L).of(weights)
    weighted = foreground(unit(vectors), weights)
    of_pairs = weighted @ model.coef.T
    expected = np.zeros((30, len(classes)))
    for (first, second), score in zip(model.pairs, of_pairs.T, strict=True):
        expected[:, classes.index(second)] += score
        expected[:, classes.index(first)] -= score
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_the_gradient_is_that_of_the_loss(classes):
    vectors, labels = drawn(30, classes)
    scores = component_scores(
        fit_svm(unit(vectors), labels, C=1, classes=classes, max_iter=-1), unit(vectors), labels, L
    )
    weights = np.array([0.5, 2.0, 0.3, 1.0])
    assert check_grad(lambda c: scores.loss(c, 2.0)[0], lambda c: scores.loss(c, 2.0)[1], weights) < 1e-6


def test_weights_never_lose_hits_and_leave_what_says_nothing(classes):
    vectors, labels = drawn(240, classes)
    halves = np.arange(240) % (2 * len(classes)) < len(classes)
    model = fit_svm(unit(vectors[halves]), labels[halves], C=1, classes=classes, max_iter=-1)
    scores = component_scores(model, unit(vectors[~halves]), labels[~halves], L)
    weights = most_likely(scores)
    assert (weights >= 0).all()
    assert weights.mean() == pytest.approx(1)
    assert scores.hits(weights) > scores.hits(np.ones(L))
    assert weights[3] < 0.3 < weights[:2].min()


def test_learned_weights_help_images_that_they_never_saw(classes):
    vectors, labels = drawn(300, classes)
    options = {"classes": classes, "max_iter": -1}
    weights = learn_weights(
        vectors[:200], labels[:200], np.arange(200), components=L, candidates=[0.1, 1, 10], seed=0, **options
    )
    again = learn_weights(
        vectors[:200], labels[:200], np.arange(200), components=L, candidates=[10, 1, 0.1], seed=0, **options
    )
    assert weights.tobytes() == again.tobytes()

    def hits(c):
        own = foreground(vectors, c)
        model = fit_svm(own[:200], labels[:200], C=1, **options)
        return (model.predict(own[200:]) == labels[200:]).sum()

    assert hits(weights) > hits(np.ones(L))


def test_a_class_of_one_patient_cannot_be_in_both_halves():
    vectors, labels = drawn(20, ["a", "b"])
    groups = np.where(labels == "a", "p", [f"q{i}" for i in range(20)])
    with pytest.raises(SlidecafError, match=r"fisher.kind: ffv .* class a has one patient \(p\) in them; leave ffv"):
        learn_weights(vectors, labels, groups, classes=["a", "b"], components=L, candidates=[1], seed=0, max_iter=-1)
