"""Histograms of overlapping windows are those of each window alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.features.manual.counts import count


@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_counts_are_those_of_each_window(window, stride, more_rows, more_columns, seed):
    shape = window + more_rows, window + more_columns
    codes = np.random.default_rng(seed).integers(0, 5, shape, dtype=np.uint8)
    counts = count(codes, 5, window, stride)
    assert counts.shape == (more_rows // stride + 1, more_columns // stride + 1, 5)
    for row, column in np.ndindex(counts.shape[:2]):
        y, x = row * stride, column * stride
        expected = np.bincount(codes[y : y + window, x : x + window].ravel(), minlength=5)
        np.testing.assert_array_equal(counts[row, column], expected)
