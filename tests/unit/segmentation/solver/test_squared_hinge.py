"""Many SVMs at once reach LinearSVC's objective, say how near they are, and do not touch one another."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from slidecaf.segmentation.solver import blas, row_blocks
from slidecaf.segmentation.solver.squared_hinge import TOLERANCE, fit_squared_hinge

OPTIONS = {"max_iter": 100, "memory": 2**30, "threads": 1}


def standardised(matrix, weight):
    """Return the problem's own rows with a 1 behind them, its mean and its scale."""
    own = matrix.astype(np.float64)
    mean = (weight[:, None] * own).sum(0) / weight.sum()
    scale = np.sqrt((weight[:, None] * (own - mean) ** 2).sum(0) / weight.sum())
    scale[scale < 1e-9] = np.inf
    return np.column_stack([(own - mean) / scale, np.ones(len(own))]), mean, scale


def primal_and_dual(x, y, weight, C, w):
    """Return both objectives, as the textbook has them: the dual at a = 2 C s max(0, 1 - yz), scaled at its best."""
    hinge = np.maximum(0, 1 - y * (x @ w))
    a = 2 * C * weight * hinge
    v = x.T @ (a * y)
    best = -np.inf
    for t in np.linspace(0.5, 1.5, 2001):
        kept = weight > 0
        dual = (t * a).sum() - ((t * a[kept]) ** 2 / (4 * C * weight[kept])).sum() - (t * v) @ (t * v) / 2
        best = max(best, dual)
    return w @ w / 2 + C * (weight * hinge**2).sum(), best


def drawn(seed, n, dimension):
    rng = np.random.default_rng(seed)
    matrix = rng.gamma(1, 2, (n, dimension)).astype(np.float16)
    labels = matrix[:, 0] + rng.normal(0, 2, n) > 2
    labels[:2] = [True, False]
    weights = rng.integers(0, 4, (3, n)).astype(np.float32)
    weights[:, :2] = 1
    return matrix, labels, weights


@pytest.mark.parametrize("device", [None, "cpu"])
@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(20, 90),
    dimension=st.integers(1, 40),
    C=st.sampled_from([1e-4, 1e-2, 1.0, 100.0]),
)
def test_the_objective_is_within_the_gap_of_linear_svcs_and_the_gap_is_true(seed, n, dimension, C, device):
    matrix, labels, weights = drawn(seed, n, dimension)
    y = np.where(labels, 1.0, -1.0)
    solved = fit_squared_hinge(matrix, labels, weights, [C], device=device, **OPTIONS)
    for weight, (found,) in zip(weights, solved, strict=True):
        x, mean, scale = standardised(matrix, weight)
        coef = np.where(np.isinf(scale), 0, found.coef) * np.where(np.isinf(scale), 1, scale)
        w = np.append(coef, found.intercept + found.coef @ mean)
        primal, dual = primal_and_dual(x, y, weight, C, w)
        assert found.gap <= TOLERANCE
        if C <= 1:  # above, a of weights that were rounded is no longer near the dual's best
            assert (primal - dual) / primal <= 3 * TOLERANCE
        kept = weight > 0
        svc = LinearSVC(C=C, dual=False, tol=1e-9, max_iter=5000, intercept_scaling=1)
        svc.fit(x[kept, :-1], labels[kept], sample_weight=weight[kept])
        reference, _ = primal_and_dual(x, y, weight, C, np.append(svc.coef_[0], svc.intercept_))
        assert primal <= reference * (1 + 3 * TOLERANCE)


def test_neither_other_problems_nor_memory_nor_threads_nor_blocks_on_disk_change_a_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 4096)
    matrix, labels, weights = drawn(0, 500, 9)

    def coefs(matrix, weights, **options):
        return [
            s.coef.tobytes()
            for found in fit_squared_hinge(matrix, labels, weights, [0.1, 10], **options)
            for s in found
        ]

    expected = coefs(matrix, weights, **OPTIONS)
    assert coefs(matrix, weights, **{**OPTIONS, "memory": 0}) == expected
    assert coefs(matrix, weights, **{**OPTIONS, "threads": 3}) == expected
    assert coefs(matrix, weights[::-1], **OPTIONS)[-2:] == expected[:2]
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        assert coefs(file.create_dataset("rows", data=matrix), weights, **OPTIONS) == expected


@pytest.mark.parametrize("device", [None, "cpu"])
def test_labels_of_rows_that_a_problem_leaves_out_change_no_byte_of_it_whatever_runs_beside_it(device):
    matrix, labels, weights = drawn(1, 400, 12)
    weights[0, 100:200] = 0
    before = fit_squared_hinge(matrix, labels, weights, [0.01, 1], device=device, **OPTIONS)
    turned = labels.copy()
    turned[100:200] ^= True
    after = fit_squared_hinge(matrix, turned, weights, [0.01, 1], device=device, **OPTIONS)
    assert [s.coef.tobytes() for s in before[0]] == [s.coef.tobytes() for s in after[0]]
    assert [s.intercept for s in before[0]] == [s.intercept for s in after[0]]
    assert before[1][0].coef.tobytes() != after[1][0].coef.tobytes()


def test_rows_of_no_problem_change_no_byte_wherever_they_stand(monkeypatch):
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 4096)
    matrix, labels, weights = drawn(5, 400, 6)
    between = np.sort(np.random.default_rng(0).integers(0, 400, 90))
    spread = [np.insert(values, between, fill, axis=-1) for values, fill in ((labels, True), (weights, 0))]
    before = fit_squared_hinge(matrix, labels, weights, [0.1], **OPTIONS)
    after = fit_squared_hinge(np.insert(matrix, between, np.nan, axis=0), *spread, [0.1], **OPTIONS)
    assert [found[0].coef.tobytes() for found in before] == [found[0].coef.tobytes() for found in after]


def test_solutions_come_in_the_order_of_c_and_the_way_there_is_the_same():
    matrix, labels, weights = drawn(2, 200, 5)
    rising = fit_squared_hinge(matrix, labels, weights, [0.01, 1], **OPTIONS)
    falling = fit_squared_hinge(matrix, labels, weights, [1, 0.01], **OPTIONS)
    assert rising[0][0].coef.tobytes() == falling[0][1].coef.tobytes()


@pytest.mark.parametrize("C", [1e-4, 1e6])
def test_features_that_repeat_one_another_and_extreme_c_are_solved(C):
    matrix, labels, weights = drawn(3, 300, 6)
    matrix = np.concatenate([matrix, matrix, matrix * 2, np.full((300, 1), 3)], axis=1).astype(np.float16)
    for (found,) in fit_squared_hinge(matrix, labels, weights, [C], **OPTIONS):
        assert found.gap <= TOLERANCE
        assert found.coef[-1] == 0
        if C < 1:  # the objective of a large C hardly tells where among equal features the weight is
            np.testing.assert_allclose(found.coef[:6], found.coef[6:12], atol=1e-3 * np.abs(found.coef).max())


def test_too_few_steps_are_seen_in_the_gap():
    matrix, labels, weights = drawn(4, 300, 20)
    (found,) = fit_squared_hinge(matrix, labels, weights[:1], [100.0], **{**OPTIONS, "max_iter": 1})[0]
    assert found.gap > TOLERANCE


def test_a_feature_that_a_problem_hardly_has_spoils_no_factor(monkeypatch):
    rng = np.random.default_rng(5)
    matrix = rng.normal(0, 1, (4000, 30)).astype(np.float32)
    labels = matrix[:, 1] + rng.normal(0, 1, len(matrix)) > 0
    first = np.repeat([1, 0], (3000, 1000)).astype(np.float32)
    matrix[3000:, :5] *= 3000  # nearly all that these features vary, they do among the others' rows
    weights = np.stack([first, 1 - first])
    factored = []
    factor = blas.factor
    monkeypatch.setattr(blas, "factor", lambda hessian: factored.append(factor(hessian)) or factored[-1])
    for solutions in fit_squared_hinge(matrix, labels, weights, [1e-3, 1e-1, 10], **OPTIONS):
        assert all(solution.gap <= TOLERANCE for solution in solutions)
    assert factored
    assert all(factored)
