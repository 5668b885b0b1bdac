import json
from itertools import combinations

import numpy as np
import pytest
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from slidecaf.classification.selection import rank_features, select
from slidecaf.classification.svm import LinearSVM, fit_svm, inner_products, standard
from slidecaf.errors import SlidecafError


def problem(classes, n=60, d=12, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.array([classes[i % len(classes)] for i in range(n)])
    centres = rng.normal(size=(len(classes), d))
    return rng.normal(size=(n, d)) + np.array([centres[classes.index(name)] for name in labels]), labels


@pytest.mark.parametrize("classes", [("LGG", "GBM"), ("GBM", "LGG")])
def test_two_classes_agree_with_scikit_learn_and_a_positive_confidence_means_the_positive_class(classes):
    X, labels = problem(classes)
    new, _ = problem(classes, seed=1)
    model = fit_svm(X, labels, C=0.1, classes=classes, max_iter=100_000)
    reference = SVC(kernel="linear", C=0.1).fit(X, labels == classes[1])
    confidence = model.decision(new)
    np.testing.assert_allclose(confidence, reference.decision_function(new), rtol=1e-6, atol=1e-9)
    assert model.predict(new).tolist() == [classes[int(p)] for p in reference.predict(new)]
    assert set(model.predict(new)[confidence > 0]) == {classes[1]}
    assert model.converged


@pytest.mark.parametrize("classes", [("c", "a", "b"), ("a", "b", "c", "d")])
def test_more_classes_agree_with_scikit_learn_in_the_order_of_the_classes(classes):
    X, labels = problem(classes)
    new, _ = problem(classes, n=200, seed=1)
    model = fit_svm(X, labels, C=1, classes=classes, max_iter=100_000)
    index = [classes.index(name) for name in labels]
    reference = SVC(kernel="linear", C=1, decision_function_shape="ovr", break_ties=True).fit(X, index)
    assert model.decision(new).shape == (200, len(classes))
    np.testing.assert_allclose(model.decision(new), reference.decision_function(new), rtol=1e-6, atol=1e-9)
    assert model.predict(new).tolist() == [classes[k] for k in reference.predict(new)]
    assert model.pairs == tuple(combinations(classes, 2))


def test_each_pair_is_the_two_class_svm_of_its_rows():
    classes = ("a", "b", "c")
    X, labels = problem(classes)
    model = fit_svm(X, labels, C=1, classes=classes, max_iter=100_000)
    for row, pair in enumerate(model.pairs):
        rows = np.isin(labels, pair)
        alone = fit_svm(X[rows], labels[rows], C=1, classes=pair, max_iter=100_000)
        np.testing.assert_allclose(X @ model.coef[row] + model.intercept[row], alone.decision(X), atol=2e-2)


def test_pooling_selection_and_svm_are_the_papers_recipe():
    from slidecaf.pooling.norms import pool

    rng = np.random.default_rng(5)
    labels = np.array(["GBM", "LGG"] * 8)
    patches = [rng.gamma(1, 1 + (label == "GBM") * rng.random(50), (30, 50)) for label in labels]

    f = np.array([(sum(v**3 for v in slide) / 30) ** (1 / 3) for slide in patches])
    diff = abs(f[labels == "GBM"].mean(0) - f[labels == "LGG"].mean(0))
    top = sorted(range(50), key=lambda k: -diff[k])[:10]
    expected = SVC(kernel="linear", C=1).fit(f[:, top], labels == "GBM").decision_function(f[:, top])

    pooled = np.array([pool(slide)[3] for slide in patches])
    columns = select(rank_features(pooled, labels, classes=("LGG", "GBM"))[1], 10)
    model = fit_svm(pooled[:, columns], labels, C=1, classes=("LGG", "GBM"), max_iter=100_000)
    np.testing.assert_allclose(pooled, f, rtol=1e-6)
    assert columns.tolist() == top
    np.testing.assert_allclose(model.decision(pooled[:, columns]), expected, rtol=1e-6)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_a_model_read_from_json_predicts_the_same_bits(classes):
    X, labels = problem(classes)
    model = fit_svm(X, labels, C=0.1, classes=classes, max_iter=100_000)
    text = json.dumps(model.to_dict())
    again = LinearSVM.from_dict(json.loads(text))
    assert again.decision(X).tobytes() == model.decision(X).tobytes()
    assert again.to_dict() == model.to_dict()
    assert json.dumps(fit_svm(X, labels, C=0.1, classes=classes, max_iter=100_000).to_dict()) == text


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_a_confidence_does_not_depend_on_the_other_rows(classes):
    X, labels = problem(classes, d=37)
    model = fit_svm(X, labels, C=0.1, classes=classes, max_iter=100_000)
    alone = np.concatenate([model.decision(X[row : row + 1]) for row in range(len(X))])
    assert alone.tobytes() == model.decision(X).tobytes()
    assert model.decision(np.asfortranarray(X)).tobytes() == model.decision(X).tobytes()


@pytest.mark.filterwarnings("error")
def test_a_solver_that_stops_at_max_iter_is_not_converged_and_says_nothing():
    X, labels = problem(("a", "b", "c"))
    model = fit_svm(X * 1000, labels, C=100, classes=("a", "b", "c"), max_iter=7)
    assert not model.converged
    assert max(model.iterations) == 7


def test_nan_an_absent_class_and_an_unknown_label_are_errors():
    X, labels = problem(("a", "b"))
    model = fit_svm(X, labels, C=1, classes=("a", "b"), max_iter=100_000)
    bad = X.copy()
    bad[4, 2] = np.nan
    with pytest.raises(SlidecafError, match="row 4 of the pooled vectors"):
        fit_svm(bad, labels, C=1, classes=("a", "b"), max_iter=10)
    with pytest.raises(SlidecafError, match="row 4 of the pooled vectors"):
        model.decision(bad)
    with pytest.raises(SlidecafError, match="class c has no slide"):
        fit_svm(X, labels, C=1, classes=("a", "b", "c"), max_iter=10)
    with pytest.raises(SlidecafError, match="label 'b' is none"):
        fit_svm(X, labels, C=1, classes=("a", "c"), max_iter=10)


def test_a_damaged_model_is_an_error():
    X, labels = problem(("a", "b"))
    stored = fit_svm(X, labels, C=1, classes=("a", "b"), max_iter=100_000).to_dict()
    for broken in ({**stored, "intercept": []}, {**stored, "coef": [["x"]]}, {"classes": ["a", "b"]}):
        with pytest.raises(SlidecafError, match="the model is damaged"):
            LinearSVM.from_dict(broken)


@pytest.mark.parametrize("scheme", ["one-vs-one", "one-vs-rest"])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
@pytest.mark.parametrize("classes", [("b", "a"), ("c", "a", "b"), ("a", "b", "c", "d")])
def test_schemes_and_weights_agree_with_scikit_learn(classes, class_weight, scheme):
    X, labels = problem(classes, n=90)
    rare = np.flatnonzero((labels != classes[0]) | (np.arange(90) % 12 == 0))  # a class with fewer rows than the others
    X, index = X[rare], np.array([classes.index(name) for name in labels[rare]])
    new, _ = problem(classes, n=200, seed=1)
    options = {"C": 0.5, "class_weight": class_weight, "scheme": scheme}
    model = fit_svm(X, labels[rare], classes=classes, max_iter=100_000, **options)
    svc = SVC(kernel="linear", C=0.5, class_weight=None if class_weight == "none" else class_weight)
    reference = (OneVsRestClassifier(svc) if scheme == "one-vs-rest" else svc).fit(X, index)
    expected = reference.decision_function(new)
    np.testing.assert_allclose(model.decision(new), expected, rtol=1e-6, atol=1e-9)
    predicted = expected.argmax(axis=1) if len(classes) > 2 else (expected > 0).astype(int)
    assert model.predict(new).tolist() == np.array(classes)[predicted].tolist()
    again = LinearSVM.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.decision(new).tobytes() == model.decision(new).tobytes()


@pytest.mark.parametrize("scheme", ["one-vs-one", "one-vs-rest"])
def test_rows_decided_together_have_the_same_confidences_but_for_rounding(scheme):
    classes = ("a", "b", "c")
    X, labels = problem(classes)
    products = inner_products(X)
    model = fit_svm(X, labels, C=1, classes=classes, max_iter=100_000, scheme=scheme, products=products)
    np.testing.assert_allclose(model.decision(X, together=True), model.decision(X), rtol=1e-9, atol=1e-12)


def test_an_svm_of_standardised_features_can_be_written_for_features_as_stored():
    classes = ("a", "b", "c")
    X, labels = problem(classes)
    X = X * 10.0 ** np.arange(-6, 6) + 5
    X[:, 3] = 0.1 + 0.2  # a feature that does not vary
    mean, scale = standard(X)
    scaler = StandardScaler().fit(X)
    np.testing.assert_allclose((X - mean) / scale, scaler.transform(X), atol=1e-9)
    model = fit_svm((X - mean) / scale, labels, C=1, classes=classes, max_iter=100_000)
    np.testing.assert_allclose(model.as_stored(mean, scale).decision(X), model.decision((X - mean) / scale), rtol=1e-6)
