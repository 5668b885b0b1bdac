"""A decision value shared out among patches."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.classification.heatmap import HeatMap, asked, contributions
from slidecaf.classification.svm import ONE_VS_REST, fit_svm
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


@settings(max_examples=80)
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


@given(st.integers(1, 60), st.integers(0, 10**6), st.sampled_from(NORMS), st.floats(-5, 5))
@settings(max_examples=40)
def test_the_mean_patch_confidence_is_the_slides_confidence(n, seed, norm, intercept):
    values, coef = drawn(n, 5, seed)
    f = pooled(values, norm)
    found = contributions(lambda: [values], f, coef, norm=norm)
    heat = HeatMap(np.zeros((n, 2), int), found, {"intercept": intercept})
    assert abs(heat.patch_confidence.mean() - (coef @ f + intercept)) < 1e-9 * max(1, np.abs(coef * f).sum())


def test_a_patch_confidence_by_the_mean_is_what_the_svm_says_of_the_patch_alone():
    values, coef = drawn(9, 4, 3)
    found = contributions(lambda: [values], values.mean(axis=0, dtype=float), coef, norm=1)
    heat = HeatMap(np.zeros((9, 2), int), found, {"intercept": 0.5})
    assert heat.patch_confidence == pytest.approx(values.astype(float) @ coef + 0.5, abs=1e-12)


def test_the_patches_that_speak_most_do_not_overlap_and_are_on_their_side_of_zero():
    coords = np.array([[0, 0], [50, 0], [100, 0], [200, 0], [300, 0]])
    heat = HeatMap(coords, np.array([0.9, 1.0, 0.8, -0.5, 0.1]), {"intercept": -1.0, "patch_size_level0": 100})
    assert heat.patch_confidence == pytest.approx([3.5, 4, 3, -3.5, -0.5])
    assert heat.speaking(3) == [1]  # both neighbours overlap it
    assert heat.speaking(3, against=True) == [3, 4]
    assert heat.speaking(1, against=True) == [3]


def test_a_slide_without_patches_has_no_patch_that_speaks():
    heat = HeatMap(np.empty((0, 2), int), np.empty(0), {})
    assert (heat.speaking(4), heat.patch_confidence.tolist(), heat.size) == ([], [], 1)


THREE = ["a", "b", "c"]
ROWS = np.array([[0.0, 0], [0, 1], [5, 0], [5, 1], [0, 5], [1, 6]])


def three(**scheme):
    return fit_svm(ROWS, ["a", "a", "b", "b", "c", "c"], C=1.0, classes=THREE, max_iter=-1, **scheme)


@pytest.mark.parametrize(("row", "pair"), [(0, ("b", "a")), (3, ("a", "b")), (5, ("a", "c"))])
def test_of_several_classes_the_called_one_is_held_against_the_next(row, pair):
    model = three()
    against, speaks_for, coef, intercept = asked(model, ROWS[row])
    assert (against, speaks_for) == pair
    assert coef @ ROWS[row] + intercept > 0
    place = model.pairs.index(tuple(sorted(pair)))
    of_pair = model.coef[place] @ ROWS[row] + model.intercept[place]
    assert coef @ ROWS[row] + intercept == pytest.approx(of_pair if speaks_for > against else -of_pair)


def test_one_vs_rest_the_called_class_is_held_against_all_others():
    against, speaks_for, coef, intercept = asked(three(scheme=ONE_VS_REST), ROWS[3])
    assert (against, speaks_for) == ("", "b")
    assert coef @ ROWS[3] + intercept == pytest.approx(three(scheme=ONE_VS_REST).decision(ROWS[3:4])[0, 1])
