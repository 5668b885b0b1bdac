"""Many SVMs over one matrix are those that scikit-learn fits one by one."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from slidecaf.errors import SlidecafError
from slidecaf.segmentation.solver.patch_models import fit_left_out, read_models, write_models

C = [0.001, 0.1]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    matrix = (rng.gamma(1, 3, (120, 6)) + np.arange(6)).astype(np.float16)
    labels = matrix[:, 0] + rng.normal(0, 1, 120) > 4
    weights = np.ones((3, 120))
    weights[0, :40] = 0
    weights[1, 60:] = 0
    weights[2, ::3] = 2
    return matrix, labels, list(weights)


def repeated(matrix, labels, weight):
    places = np.repeat(np.arange(len(labels)), weight.astype(int))
    return matrix[places].astype(np.float64), labels[places]


def test_each_problem_is_linear_svc_on_its_own_rows_standardised_and_repeated_by_weight(rows):
    matrix, labels, weights = rows
    for weight, model in zip(weights, fit_left_out(matrix, labels, weights, C), strict=True):
        own, truth = repeated(matrix, labels, weight)
        scaler = StandardScaler().fit(own)
        for k, value in enumerate(C):
            expected = LinearSVC(C=value, dual=False, tol=1e-8, max_iter=10_000).fit(scaler.transform(own), truth)
            wanted = expected.decision_function(scaler.transform(matrix.astype(np.float64)))
            found = matrix @ model.coef[k] + model.intercept[k]
            np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())
        assert model.converged.all()
        assert (model.rows, model.positive) == ((weight > 0).sum(), labels[weight > 0].sum())


def test_rows_without_weight_change_no_byte_whatever_they_hold(rows):
    matrix, labels, weights = rows
    before = fit_left_out(matrix, labels, weights[:1], C)[0]
    matrix[:40], labels[:40] = np.nan, ~labels[:40]
    after = fit_left_out(matrix, labels, weights[:1], C)[0]
    assert before.coef.tobytes() == after.coef.tobytes()
    assert before.intercept.tobytes() == after.intercept.tobytes()


def test_threads_change_no_byte(rows):
    one, two = (fit_left_out(*rows, C, threads=threads) for threads in (1, 2))
    assert all(a.coef.tobytes() == b.coef.tobytes() for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("sign", [-1, 1])
def test_rows_of_one_class_give_the_constant_that_minimises_the_objective(rows, sign):
    matrix, _, weights = rows
    labels = np.full(120, sign > 0)
    model = fit_left_out(matrix, labels, weights[2:], C)[0]
    own, _ = repeated(matrix, labels, weights[2])
    standardised = StandardScaler().fit_transform(own)
    for k, value in enumerate(C):

        def objective(w, value=value):
            margin = np.maximum(0, 1 - sign * (standardised @ w[:-1] + w[-1]))
            return 0.5 * w @ w + value * (margin**2).sum()

        best = minimize(objective, np.zeros(7)).x
        assert model.constant
        np.testing.assert_allclose([*model.coef[k], model.intercept[k]], best, atol=1e-4)


def test_a_feature_that_never_varies_is_no_fault(rows):
    matrix, labels, weights = rows
    matrix[:, 2] = 7
    model = fit_left_out(matrix, labels, weights, C)[0]
    assert np.isfinite(model.coef).all()
    np.testing.assert_allclose(model.coef[:, 2], 0, atol=1e-12)


def test_nan_among_the_rows_in_use_and_no_rows_are_errors(rows):
    matrix, labels, weights = rows
    with pytest.raises(SlidecafError, match="no patch to learn from"):
        fit_left_out(matrix, labels, [np.zeros(120)], C)
    matrix[100, 3] = np.nan
    with pytest.raises(SlidecafError, match="NaN or infinite"):
        fit_left_out(matrix, labels, weights, C)


def test_models_read_back_as_they_were_written(rows, tmp_path):
    models = fit_left_out(*rows, C)
    write_models(tmp_path / "model.h5", models, C=C, inner=[0, 1, None])
    for inner, model in zip([0, 1, None], models, strict=True):
        found, values = read_models(tmp_path / "model.h5", inner)
        assert values == C
        assert np.array_equal(found.coef, model.coef)
        assert (found.rows, found.constant) == (model.rows, model.constant)
    (tmp_path / "model.h5").write_bytes(b"no HDF5")
    with pytest.raises(SlidecafError, match=r"model\.h5 is (missing|damaged)"):
        read_models(tmp_path / "model.h5")
