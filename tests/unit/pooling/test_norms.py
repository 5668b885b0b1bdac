import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slidecaf.errors import SlidecafError
from slidecaf.pooling.norms import Pooler, norm_name, parse_norm, pool

few = settings(max_examples=30)
matrices = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(0, 100, width=32))


def sparse_features(n=700, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.gamma(1.0, 3.0, (n, d)) * (rng.random((n, d)) < 0.13)).astype(np.float16)


@pytest.mark.parametrize("p", [1, 2, 2.5, 3, 7])
def test_pooling_is_the_papers_formula(p):
    features = sparse_features()
    v = features.astype(np.float64)
    formula = (1 / len(v) * np.sum(v**p, axis=0)) ** (1 / p)
    np.testing.assert_allclose(pool(features, norms=[p])[p], formula, rtol=1e-12)


def test_norm_inf_is_the_maximum_and_norm_1_the_mean_for_negative_features_too():
    features = np.random.default_rng(0).normal(size=(9, 4)) - 3
    pooled = pool(features, norms=["inf", 1])
    np.testing.assert_array_equal(pooled[math.inf], features.max(axis=0))
    np.testing.assert_allclose(pooled[1], features.mean(axis=0), rtol=1e-12)


@few
@given(matrices, st.integers(1, 11))
def test_chunks_and_the_order_of_patches_do_not_matter(features, cut):
    whole = pool(features, norms=[1, 3, 5.5, "inf"])
    pooler = Pooler([1, 3, 5.5, "inf"])
    for chunk in (features[cut:][::-1], features[:0], features[:cut]):
        pooler.add(chunk)
    assert pooler.count == len(features)
    for norm, vector in pooler.result().items():
        np.testing.assert_allclose(vector, whole[norm], rtol=1e-12)


@few
@given(matrices, st.floats(0.01, 100))
def test_pooling_scales_with_its_features_and_grows_with_the_norm(features, factor):
    norms = [1, 2, 3, 10, 300, math.inf]
    pooled = pool(features, norms=norms)
    np.testing.assert_allclose(pool(features * factor)[3], pooled[3] * factor, rtol=1e-9)
    for low, high in pairwise(norms):
        assert (pooled[low] <= pooled[high] * (1 + 1e-12)).all()


@pytest.mark.parametrize("value", [65504.0, 6e-8])
def test_a_large_norm_neither_overflows_nor_vanishes(value):
    features = np.array([[0.0], [value]] * 600)
    expected = value * 0.5 ** (1 / 500)
    np.testing.assert_allclose(pool(features, norms=[500])[500], [expected], rtol=1e-12)


def test_float16_features_are_summed_in_float64():
    features = np.full((4096, 1), 40, dtype=np.float16)  # the sum of cubes is far above float16
    np.testing.assert_allclose(pool(features)[3], [40], rtol=1e-12)


def test_rows_that_are_not_valid_do_not_count_whatever_they_hold():
    features = np.array([[1.0, 2.0], [np.nan, -5.0], [3.0, 4.0]])
    valid = np.array([True, False, True])
    np.testing.assert_array_equal(pool(features, valid)[3], pool(features[valid])[3])


def test_results_do_not_change_when_more_is_added():
    pooler = Pooler(["inf", 1])
    pooler.add(np.ones((1, 2)))
    before = pooler.result()
    pooler.add(np.full((1, 2), 5.0))
    for vector in before.values():
        np.testing.assert_array_equal(vector, [1, 1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("norm", [1, 3, "inf"])
def test_a_feature_that_is_no_number_is_an_error_that_names_the_slide(bad, norm):
    features = np.ones((600, 3))
    features[550, 1] = bad
    with pytest.raises(SlidecafError, match=r"slide a1: .*NaN or infinite"):
        pool(features, norms=[norm], source="slide a1")


def test_a_negative_feature_is_an_error_for_a_norm_with_a_root():
    with pytest.raises(SlidecafError, match=r"slide a1: feature 1 is negative .*norm 3 .*norm 1 or inf"):
        pool(np.array([[1.0, -0.5]]), norms=[1, 3], source="slide a1")


def test_nothing_to_pool_is_an_error():
    with pytest.raises(SlidecafError, match="slide a1: no valid patch"):
        pool(np.ones((2, 3)), np.array([False, False]), source="slide a1")


@pytest.mark.parametrize(
    ("value", "norm", "name"), [(3, 3, "3"), (1.0, 1, "1"), (2.5, 2.5, "2.5"), ("inf", math.inf, "inf")]
)
def test_norms_are_parsed_and_named(value, norm, name):
    assert parse_norm(value) == norm
    assert norm_name(value) == norm_name(norm) == name


@pytest.mark.parametrize("value", [0.5, 0, -3, math.nan, "3", "max", None, True])
def test_anything_but_a_number_from_1_or_inf_is_no_norm(value):
    with pytest.raises(SlidecafError, match="at least 1, or inf"):
        parse_norm(value)
