"""The routines do in place what NumPy does, and refuse what they would misread."""

import numpy as np
import pytest

from slidecaf.segmentation.solver import blas


@pytest.fixture
def rows():
    return np.random.default_rng(0).standard_normal((40, 7)).astype(np.float32)


def test_a_gram_matrix_grows_and_shrinks(rows):
    square = np.zeros((7, 7), np.float32, order="F")
    blas.add_gram(square, rows, 1)
    blas.add_gram(square, rows[10:20].copy(), -1)
    kept = np.delete(rows, slice(10, 20), axis=0).astype(np.float64)
    np.testing.assert_allclose(np.tril(square), np.tril(kept.T @ kept), atol=1e-4)


def test_a_factor_solves_its_system(rows):
    full = rows.T @ rows + np.eye(7, dtype=np.float32)
    matrix = np.asfortranarray(np.tril(full))
    assert blas.factor(matrix)
    right = np.arange(7, dtype=np.float32)
    solution = right.copy()
    blas.solve(matrix, solution)
    np.testing.assert_allclose(full @ solution, right, atol=1e-4)


def test_a_matrix_that_is_not_definite_has_no_factor():
    assert not blas.factor(np.asfortranarray(-np.eye(3, dtype=np.float32)))


@pytest.mark.parametrize(
    "square",
    [np.zeros((7, 7), np.float32), np.zeros((7, 7), order="F"), np.zeros((6, 6), np.float32, order="F")],
)
def test_another_order_type_or_shape_is_refused(rows, square):
    with pytest.raises(ValueError, match="float32"):
        blas.add_gram(square + 0 if square.flags.c_contiguous else square, rows, 1)
