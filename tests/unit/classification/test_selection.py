import numpy as np
import pytest

from slidecaf.classification.selection import rank_features, select
from slidecaf.errors import SlidecafError


def test_features_are_ranked_by_the_papers_difference():
    rng = np.random.default_rng(0)
    v, labels = rng.gamma(2, size=(11, 40)), np.array(["GBM"] * 5 + ["LGG"] * 6)
    difference, order = rank_features(v, labels, classes=("LGG", "GBM"))
    gbm, lgg = v[:5], v[5:]
    formula = [abs(sum(gbm[:, k]) / 5 - sum(lgg[:, k]) / 6) for k in range(40)]
    np.testing.assert_allclose(difference, formula, rtol=1e-6)
    assert order.tolist() == sorted(range(40), key=lambda k: -formula[k])
    assert select(order, 7).tolist() == order[:7].tolist()


def test_equal_differences_go_by_index():
    v = np.array([[0, 1, 0, 1, 1], [0, 0, 1, 0, 0]])
    _, order = rank_features(v, ["a", "b"], classes=("a", "b"))
    assert order.tolist() == [1, 2, 3, 4, 0]


def test_with_more_classes_the_largest_difference_over_pairs_counts():
    v = np.array([[0.0, 0.0], [1.0, 3.0], [5.0, 1.0]])
    difference, order = rank_features(v, ["a", "b", "c"], classes=("a", "b", "c"))
    assert difference.tolist() == [5, 3]
    assert order.tolist() == [0, 1]


def test_the_order_of_classes_and_the_layout_of_memory_do_not_matter():
    rng = np.random.default_rng(1)
    v, labels = rng.random((9, 30)), ["a", "b", "c"] * 3
    expected = rank_features(v, labels, classes=("a", "b", "c"))
    for values, classes in ((v, ("c", "a", "b")), (np.asfortranarray(v), ("a", "b", "c"))):
        for one, other in zip(rank_features(values, labels, classes=classes), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_keep_above_the_dimension_is_an_error_with_both_numbers():
    with pytest.raises(SlidecafError, match="keep: 100 is above the 64 features"):
        select(np.arange(64), 100)


def test_a_class_without_rows_and_a_feature_that_is_no_number_are_errors():
    with pytest.raises(SlidecafError, match="class b has no slide"):
        rank_features(np.ones((2, 3)), ["a", "a"], classes=("a", "b"))
    with pytest.raises(SlidecafError, match="row 1 of the pooled vectors"):
        rank_features(np.array([[0.0], [np.nan]]), ["a", "b"], classes=("a", "b"))


def test_all_keeps_every_feature_in_ranked_order():
    order = np.array([2, 0, 1])
    assert select(order, "all").tolist() == [2, 0, 1]
