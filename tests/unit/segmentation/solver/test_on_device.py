"""Sums and factors on a device of torch: NumPy's solutions, whether rows lie there or are streamed."""

import h5py
import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.segmentation.solver import on_device
from slidecaf.segmentation.solver.patch_models import fit_left_out
from slidecaf.segmentation.solver.squared_hinge import TOLERANCE, fit_squared_hinge
from tests.unit.segmentation.solver.test_squared_hinge import OPTIONS, drawn


def keep(blocks, size):
    """Keep rows as a GPU with room for them does."""
    return [blocks._read(own).to(blocks._device) for own in blocks._slices]


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_solutions_are_numpys_and_rows_stay_as_they_are(monkeypatch, kept, kind):
    monkeypatch.setattr(on_device, "BLOCK_BYTES", 4 * 13 * 100)
    if kept:
        monkeypatch.setattr(on_device.DeviceBlocks, "_keep", keep)
    matrix, labels, weights = drawn(3, 700, 13)
    matrix = matrix.astype(kind)
    before = matrix.copy()
    expected = fit_squared_hinge(matrix, labels, weights, [1e-3, 1.0], **OPTIONS)
    found = fit_squared_hinge(matrix, labels, weights, [1e-3, 1.0], device="cpu", **OPTIONS)
    np.testing.assert_array_equal(matrix, before)
    for one, other in zip(expected, found, strict=True):
        for numpys, devices in zip(one, other, strict=True):
            assert devices.gap <= TOLERANCE
            np.testing.assert_allclose(devices.coef, numpys.coef, rtol=1e-3, atol=1e-4 * np.abs(numpys.coef).max())
            assert devices.intercept == pytest.approx(numpys.intercept, rel=1e-3, abs=1e-4)


def test_rows_of_a_file_and_rows_of_no_problem_change_no_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(on_device, "BLOCK_BYTES", 4 * 9 * 64)
    matrix, labels, weights = drawn(4, 300, 9)
    between = np.sort(np.random.default_rng(0).integers(0, 300, 50))
    spread = [np.insert(values, between, fill, axis=-1) for values, fill in ((labels, True), (weights, 0))]
    expected = fit_squared_hinge(matrix, labels, weights, [0.1], device="cpu", **OPTIONS)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        stored = file.create_dataset("rows", data=np.insert(matrix, between, np.nan, axis=0))
        found = fit_squared_hinge(stored, *spread, [0.1], device="cpu", **OPTIONS)
    assert [one[0].coef.tobytes() for one in found] == [one[0].coef.tobytes() for one in expected]


def test_a_value_that_is_no_number_is_refused_as_numpy_refuses_it():
    matrix, labels, weights = drawn(4, 100, 5)
    matrix[7, 2] = np.nan
    with pytest.raises(SlidecafError, match="NaN or infinite"):
        fit_left_out(matrix, labels, list(weights), [0.1], device="cpu")
