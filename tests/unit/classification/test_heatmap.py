"""A decision value shared out among patches."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.classification.heatmap import contributions
from slidecaf.pooling.norms import Pooler

NORMS = [1, 2, 3, 2.5, 20, math.inf]


def drawn(n, d, seed, dtype=np.float16):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((n, d)) < 0.4, 0, rng.gamma(1, 2, (n, d)))
    values[:, 0] = 0  # a feature that no patch has
    return values.astype(dtype), rng.normal(size=d)


def pooled(values, norm):
    pooler = Pooler([norm])
    pooler.add(values)
    return pooler.result()[float(norm)]


def literal(values, coef, norm):
    """Return what each patch adds, as the formula is written."""
    n, f, found = len(values), pooled(values, norm), np.zeros(len(values))
    for i, row in enumerate(values.astype(float)):
        for k, v in enumerate(row):
            if norm == math.inf:
                found[i] += coef[k] * f[k] / (values[:, k] == f[k]).sum() if v == f[k] else 0
            elif f[k] != 0:
                found[i] += coef[k] * f[k] ** (1 - norm) * v**norm / n
    return found


@pytest.mark.parametrize("norm", NORMS)
def test_each_patch_adds_what_the_formula_says(norm):
    values, coef = drawn(17, 6, 0)
    found = contributions(lambda: np.array_split(values, 4), pooled(values, norm), coef, norm=norm)
    assert found == pytest.approx(literal(values, coef, norm), abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 10**6), st.sampled_from(NORMS), st.integers(1, 50))
def test_the_sum_is_the_decision_value_to_a_billionth(n, d, seed, norm, size):
    values, coef = drawn(n, d, seed)
    f = pooled(values, norm)
    found = contributions(lambda: [values[k : k + size] for k in range(0, n, size)], f, coef, norm=norm)
    assert found.shape == (n,)
    assert abs(found.sum() - coef @ f) < 1e-9 * max(1, np.abs(coef * f).sum())


def test_the_mean_shares_out_negative_features_too():
    values, coef = np.array([[-1.0, 2.0], [3.0, -4.0]]), np.array([1.0, 0.5])
    assert contributions(lambda: [values], values.mean(axis=0), coef, norm=1).tolist() == [0.0, 0.5]


def test_a_maximum_is_shared_by_the_patches_that_have_it():
    values = np.array([[4.0, 1.0], [4.0, 0.0], [2.0, 0.0]])
    found = contributions(lambda: [values[:1], values[1:]], [4.0, 1.0], [1.0, -3.0], norm=math.inf)
    assert found.tolist() == [2.0 - 3.0, 2.0, 0.0]
