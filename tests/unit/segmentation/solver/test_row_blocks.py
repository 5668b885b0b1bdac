"""Every number of 16 bit becomes the same number of 32 bit."""

import numpy as np
import pytest

from slidecaf.segmentation.solver.row_blocks import widen

EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)


@pytest.mark.parametrize("values", [EVERY, EVERY[np.isfinite(EVERY)], EVERY[:0], EVERY[::-3].reshape(2, -1)])
def test_each_is_what_numpy_makes_of_it(values):
    found = widen(values)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values.astype(np.float32))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(values))


def test_numbers_of_32_bit_are_copied():
    values = np.ones(3, np.float32)
    found = widen(values)
    found[:] = 0
    assert values.all()
