"""Descriptors get length 1 and are projected as scikit-learn's PCA does."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from slidecaf.errors import SlidecafError
from slidecaf.pooling.fisher.projection import fit_projection


def test_a_projection_is_that_of_principal_components(descriptors):
    rows = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    expected = PCA(3).fit(rows)
    found = fit_projection(descriptors, 3)
    ours, theirs = found(descriptors), expected.transform(rows)
    signs = np.sign((ours * theirs).sum(axis=0))  # a direction's sign means nothing
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-5)
    assert ours.dtype == np.float32


def test_without_a_projection_descriptors_get_length_1_and_zeros_stay(descriptors):
    rows = np.vstack([descriptors[:5], np.zeros(6)]).astype(np.float16)
    lengths = np.linalg.norm(fit_projection(descriptors, None)(rows), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 1, 1, 1, 0], atol=1e-6)


def test_more_directions_than_values_are_refused(descriptors):
    with pytest.raises(SlidecafError, match=r"fisher.pca: 64 is above what 400 descriptors of 6 values have; write 6"):
        fit_projection(descriptors, 64)
