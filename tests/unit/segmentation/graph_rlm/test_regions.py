"""Seeds, growing and merging on graphs small enough to follow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.segmentation.graph_rlm.graph import delaunay_edges
from slidecaf.segmentation.graph_rlm.regions import find_seeds, grow, merge, standardised

ROW = np.array([[k, k + 1] for k in range(9)])  # ten circles in a row


def values(*numbers):
    return np.array(numbers, float)[:, None]


def test_seeds_are_what_holds_together_and_is_large_enough():
    features = values(0, 0, 0, 0, 5, 9, 9, 9, 20, 20)
    assert find_seeds(features, ROW, dist_thr=1, comp_thr=3).tolist() == [0, 0, 0, 0, -1, 1, 1, 1, -1, -1]
    assert find_seeds(features, ROW, dist_thr=1, comp_thr=4).tolist() == [0] * 4 + [-1] * 6
    assert find_seeds(features, ROW, dist_thr=4.5, comp_thr=3).tolist() == [0] * 4 + [1] * 4 + [-1] * 2


def test_where_no_seed_is_large_enough_the_largest_is_the_only_one():
    features = values(0, 0, 0, 0, 5, 9, 9, 9, 20, 20)
    assert find_seeds(features, ROW, dist_thr=1, comp_thr=100).tolist() == [0] * 4 + [-1] * 6


def test_distances_at_the_threshold_are_told_apart():
    assert find_seeds(values(0, 1, 2), ROW[:2], dist_thr=1, comp_thr=1).tolist() == [0, 1, 2]
    assert find_seeds(values(0, 1, 2), ROW[:2], dist_thr=1.001, comp_thr=1).tolist() == [0, 0, 0]


def test_others_join_what_they_are_most_like_the_most_alike_first():
    features = values(0, 0, 4, 6, 10, 10)
    seeds = np.array([0, 0, -1, -1, 1, 1])
    # both are 4 from their neighbours' mean; the first joins, and the second is nearer to the other region
    assert grow(seeds, features, ROW[:5]).tolist() == [0, 0, 0, 1, 1, 1]
    # 9 joins the region of 10 first, and takes 5 with it, which is 5 from the first region and 4.7 from the second
    assert grow(seeds, values(0, 0, 5, 9, 10, 10), ROW[:5]).tolist() == [0, 0, 1, 1, 1, 1]


def test_regions_merge_while_their_means_are_near_the_nearest_first():
    region = np.array([0, 0, 1, 1, 2, 2])
    assert merge(region, values(0, 0, 1, 1, 3, 3), ROW[:5], dist_thr=1.25).tolist() == [0, 0, 0, 0, 1, 1]
    assert merge(region, values(0, 0, 1, 1, 2, 2), ROW[:5], dist_thr=1.25).tolist() == [0, 0, 0, 0, 1, 1]
    assert merge(region, values(0, 0, 1, 1, 2, 2), ROW[:5], dist_thr=1.75).tolist() == [0] * 6
    assert merge(region, values(0, 0, 5, 5, 0, 0), ROW[:5], dist_thr=1.25).tolist() == [0, 0, 1, 1, 2, 2]  # not beside


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([0.5, 1.25, 3]), st.sampled_from([1, 5, 100]))
@settings(max_examples=40)
def test_every_circle_is_in_a_region_that_hangs_together(seed, count, dist_thr, comp_thr):
    draw = np.random.default_rng(seed)
    places = draw.choice(10_000, count, replace=False)
    edges = delaunay_edges(np.stack([places % 100, places // 100], axis=1))
    features = standardised(draw.normal(size=(count, 4)))
    seeds = find_seeds(features, edges, dist_thr=dist_thr, comp_thr=comp_thr)
    grown = grow(seeds, features, edges)
    merged = merge(grown, features, edges, dist_thr=dist_thr)
    assert (grown[seeds >= 0] == seeds[seeds >= 0]).all()
    assert sorted(set(grown)) == list(range(seeds.max() + 1))
    assert sorted(set(merged)) == list(range(merged.max() + 1))
    for region in set(merged):
        left = set(np.flatnonzero(merged == region).tolist())
        waiting = [left.pop()]
        while waiting:
            node = waiting.pop()
            beside = {int(end) for edge in edges for end in edge if node in edge} & left
            left -= beside
            waiting += beside
        assert not left
    means = {region: features[merged == region].mean(axis=0) for region in set(merged)}
    for one, other in merged[edges]:
        assert one == other or np.linalg.norm(means[one] - means[other]) >= dist_thr


def test_features_are_scaled_and_one_that_does_not_vary_counts_for_nothing():
    features = np.array([[1.0, 7.0], [3.0, 7.0]])
    np.testing.assert_allclose(standardised(features), [[-1, 0], [1, 0]])
    assert standardised(np.empty((0, 3))).shape == (0, 3)
    assert not standardised(np.full((5, 1), 0.1)).any()


@pytest.mark.parametrize("count", [0, 1])
def test_no_circle_and_one(count):
    edges, features = np.empty((0, 2), np.int64), np.zeros((count, 3))
    seeds = find_seeds(features, edges, dist_thr=1, comp_thr=100)
    assert merge(grow(seeds, features, edges), features, edges, dist_thr=1).tolist() == [0] * count
