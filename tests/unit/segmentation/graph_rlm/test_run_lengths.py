"""Graph run-length matrices against a search written out, and features against their formulas."""

from collections import deque

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.segmentation.graph_rlm.graph import delaunay_edges, edge_types
from slidecaf.segmentation.graph_rlm.run_lengths import (
    over_windows,
    run_length_matrices,
    texture_features,
    type_shares,
    window,
)


def literal(points, edges, types, win_size):
    """Count runs by a breadth-first search from each point, type by type, inside its window."""
    runs = {}
    for start in range(len(points)):
        inside = {k for k in range(len(points)) if np.abs(points[k] - points[start]).max() <= win_size / 2}
        for kind in range(6):
            own = [set(edge) for edge, of in zip(edges.tolist(), types, strict=True) if of == kind]
            length, waiting = {start: 0}, deque([start])
            while waiting:
                node = waiting.popleft()
                for edge in own:
                    for other in (edge - {node}) if node in edge else ():
                        if other in inside and other not in length:
                            length[other] = length[node] + 1
                            waiting.append(other)
                            key = start, kind, length[other]
                            runs[key] = runs.get(key, 0) + 1
    return runs


def as_runs(matrices):
    return {
        (int(node), int(kind), int(length) + 1): int(matrices[node, kind, length])
        for node, kind, length in zip(*np.nonzero(matrices), strict=True)
    }


def test_a_hand_made_graph():
    """Nuclei 0, 1, 2 in a row, stroma 3 above, lumen 4 far away."""
    points = np.array([[0, 0], [20, 0], [40, 0], [20, 20], [200, 0]])
    edges = np.array([[0, 1], [0, 3], [1, 2], [1, 3], [2, 3], [2, 4]])
    types = edge_types(edges, np.array([0, 0, 0, 1, 2]))
    assert types.tolist() == [0, 3, 0, 3, 3, 4]
    matrices = run_length_matrices(edges, types, window(points, 96))
    assert matrices[0, 0].tolist() == [1, 1]  # to 1, and over it to 2
    assert matrices[1, 0].tolist() == [2, 0]
    assert matrices[0, 3].tolist() == [1, 2]  # to 3, and over it to 1 and 2
    assert matrices[3, 3].tolist() == [3, 0]
    assert matrices[:, 4].sum() == 0  # the lumen is in no window but its own
    assert as_runs(matrices) == literal(points, edges, types, 96)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(10, 120))
@settings(max_examples=40)
def test_matrices_are_those_of_the_search_written_out(seed, count, win_size):
    draw = np.random.default_rng(seed)
    points = draw.choice(100 * 100, count, replace=False)
    points = np.stack([points % 100, points // 100], axis=1)
    edges = delaunay_edges(points)
    types = edge_types(edges, draw.choice(3, count))
    near = window(points, win_size)
    matrices = run_length_matrices(edges, types, near)
    assert as_runs(matrices) == literal(points, edges, types, win_size)
    inside = np.abs(points[:, None] - points[None]).max(axis=2) <= win_size / 2
    np.testing.assert_array_equal(near.toarray(), inside)
    np.testing.assert_array_equal(over_windows(matrices, near), np.einsum("ij,jtl->itl", inside, matrices))


def test_features_are_galloways_written_out():
    matrix = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 1], [0, 0, 0], [0, 4, 0], [0, 0, 0]])
    total, short, long = 0, 0.0, 0.0
    for row in matrix:
        for length, runs in enumerate(row, start=1):
            total += runs
            short += runs / length**2
            long += runs * length**2
    by_type, by_length = sum(sum(row) ** 2 for row in matrix), sum(sum(column) ** 2 for column in matrix.T)
    expected = [short / total, long / total, by_type / total, by_length / total]
    np.testing.assert_allclose(texture_features(matrix[None])[0], expected, rtol=1e-12)
    np.testing.assert_allclose(type_shares(matrix[None])[0], np.array([4, 0, 3, 0, 4, 0]) / 11)


def test_a_circle_without_a_run_has_features_of_nothing():
    nothing = np.zeros((1, 6, 1), np.int64)
    assert not texture_features(nothing).any()
    assert not type_shares(nothing).any()
    assert run_length_matrices(
        np.empty((0, 2), np.int64), np.empty(0, np.int64), window(np.empty((0, 2)), 96)
    ).shape == (
        0,
        6,
        1,
    )
