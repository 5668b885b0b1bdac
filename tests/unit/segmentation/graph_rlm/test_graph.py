"""The graph on circles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.segmentation.graph_rlm.graph import adjacency, delaunay_edges, edge_types


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=3, max_size=12, unique=True))
@settings(max_examples=60)
def test_points_that_a_circle_without_others_joins_have_an_edge(points):
    """Delaunay's definition, for points of which no circle meets four: an edge has a circle that holds no other."""
    points = np.array(points)
    edges = set(map(tuple, delaunay_edges(points).tolist()))
    for one in range(len(points)):
        for other in range(one):
            middle = (points[one] + points[other]) / 2
            radius = ((points[one] - middle) ** 2).sum()
            away = ((points - middle) ** 2).sum(axis=1)
            away[[one, other]] = np.inf
            if away.min() > radius + 1e-9:  # the smallest circle through both is empty: an edge without doubt
                assert (other, one) in edges


def test_points_on_a_line_are_joined_along_it():
    points = np.array([[30, 30], [10, 10], [20, 20], [40, 40]])
    assert delaunay_edges(points).tolist() == [[0, 2], [0, 3], [1, 2]]
    assert delaunay_edges(points[:2]).tolist() == [[0, 1]]
    assert delaunay_edges(points[:1]).tolist() == []
    assert delaunay_edges(points[:0]).shape == (0, 2)


@pytest.mark.parametrize(
    ("stains", "kind"), [((0, 0), 0), ((1, 1), 1), ((2, 2), 2), ((0, 1), 3), ((0, 2), 4), ((1, 2), 5)]
)
def test_an_edge_has_one_of_six_types_by_its_ends_in_either_order(stains, kind):
    edges = np.array([[0, 1]])
    assert edge_types(edges, np.array(stains)).tolist() == [kind]
    assert edge_types(edges, np.array(stains[::-1])).tolist() == [kind]


def test_neighbours_are_those_of_both_directions():
    matrix = adjacency(np.array([[0, 1], [1, 2]]), 4).toarray()
    assert matrix.tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert adjacency(np.empty((0, 2), np.int64), 0).shape == (0, 0)
