"""Which regions are necrosis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.segmentation.graph_rlm.clusters import Clusters, fit_clusters


def test_a_region_takes_the_share_of_necrosis_of_the_cluster_that_it_is_most_like():
    vectors = np.array([[0.0, 1], [0.2, 1], [9, 1], [9.1, 1]])
    found = fit_clusters(vectors, np.array([10, 70, 100, 0]), np.array([100, 100, 300, 100]), 2, seed=0)
    near, far = 2 * 80 / 200 - 1, 2 * 100 / 400 - 1
    np.testing.assert_allclose(found.confidences([[1.0, 1], [8.0, 1], [-5, 1]]), [near, far, near])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_masks_change_no_cluster(seed):
    draw = np.random.default_rng(seed)
    vectors, area = draw.normal(size=(30, 4)), draw.integers(1, 1000, 30)
    one, other = (fit_clusters(vectors, draw.integers(0, area + 1), area, 4, seed=3) for _ in range(2))
    assert (one.mean, one.scale, one.centres) == (other.mean, other.scale, other.centres)
    assert all(-1 <= value <= 1 for value in one.confidence)


def test_what_differs_in_one_feature_only_is_one_cluster_at_most_a_region():
    same = np.ones((5, 3))
    found = fit_clusters(same, np.arange(5), np.full(5, 10), 8, seed=0)
    assert len(found.centres) == 1
    assert found.confidence == [pytest.approx(2 * 10 / 50 - 1)]
    assert found.scale == [1, 1, 1]


def test_it_is_the_same_after_json():
    import json

    vectors = np.random.default_rng(0).normal(size=(40, 10))
    found = fit_clusters(vectors, np.arange(40), np.full(40, 50), 5, seed=1)
    again = Clusters.of_plain(json.loads(json.dumps({"clusters": 5, **vars(found)})))
    assert again == found
    assert found == fit_clusters(vectors.copy(), np.arange(40), np.full(40, 50), 5, seed=1)
    assert (again.confidences(vectors) == found.confidences(vectors)).all()
