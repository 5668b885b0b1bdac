import math
import time

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.errors import SlidecafError
from slidecaf.segmentation import maps as module
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.maps import (
    ConfidenceWriter,
    confidence_map,
    confidences,
    read_confidences,
    read_map,
    write_confidences,
    write_maps,
)


def grid(length, size, stride, edge):
    """Return where patches start, by the design's words."""
    starts = [0]
    while starts[-1] + size < length:
        starts.append(starts[-1] + stride)
    return starts if edge == "cover" or len(starts) == 1 else [k for k in starts if k + size <= length] or [0]


@settings(max_examples=80)
@given(
    width=st.integers(1, 18),
    height=st.integers(1, 18),
    size=st.integers(1, 9),
    stride=st.integers(1, 9),
    edge=st.sampled_from(["cover", "drop"]),
    invalid=st.sampled_from([0, 0.3, 0.9, 1]),
    kept=st.sampled_from([0, 0.5, 1]),
    strip_rows=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_map_is_the_loop_over_patches_and_pixels(
    width, height, size, stride, edge, invalid, kept, strip_rows, seed
):
    rng = np.random.default_rng(seed)
    if edge == "cover":
        stride = min(stride, size)  # the config refuses gaps
    coords = [(x, y) for y in grid(height, size, stride, edge) for x in grid(width, size, stride, edge)]
    coords = np.array(coords, np.int64)[rng.random(len(coords)) < kept].reshape(-1, 2)
    values = rng.normal(0, 10, len(coords)).astype(np.float32)
    values[rng.random(len(coords)) < invalid] = np.nan

    expected = np.empty((height, width))
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for (left, top), value in zip(coords, values, strict=True):
        for y in range(top, min(top + size, height)):
            for x in range(left, min(left + size, width)):
                if not math.isnan(value):
                    total[y, x] += value
                    count[y, x] += 1
    for y in range(height):
        for x in range(width):
            expected[y, x] = total[y, x] / count[y, x] if count[y, x] else math.nan

    cells = Cells.of_patches(coords, size, width, height)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRIP_ROWS", strip_rows)
        found = confidence_map(cells, coords, size, values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(cells.expand(found, 0, height), expected, atol=1e-5, rtol=0)


def test_a_slide_without_a_patch_has_no_confidence():
    coords = np.empty((0, 2), np.int64)
    found = confidence_map(Cells.of_patches(coords, 112, 3000, 2000), coords, 112, np.empty(0, np.float32))
    assert found.shape == (1, 1)
    assert np.isnan(found).all()


def test_strips_and_the_whole_agree(monkeypatch):
    coords = np.array([(x, y) for y in range(0, 800, 8) for x in range(0, 600, 8)], np.int64)
    cells = Cells.of_patches(coords, 112, 600, 800)
    values = np.random.default_rng(0).normal(size=len(coords)).astype(np.float32)
    whole = confidence_map(cells, coords, 112, values)
    monkeypatch.setattr(module, "STRIP_ROWS", 7)
    np.testing.assert_allclose(confidence_map(cells, coords, 112, values), whole, atol=1e-6)


def test_time_does_not_depend_on_the_size_of_a_patch():
    coords = np.array([(x, y) for y in range(0, 2000, 8) for x in range(0, 2000, 8)], np.int64)
    values = np.random.default_rng(0).normal(size=len(coords)).astype(np.float32)
    seconds = {}
    for size in (8, 512):
        cells = Cells.of_patches(coords, size, 2000, 2000)
        runs = []
        for _ in range(3):
            start = time.process_time()
            confidence_map(cells, coords, size, values)
            runs.append(time.process_time() - start)
        seconds[size] = min(runs)
    # a loop over pixels would take 4,096 times as long
    assert seconds[512] < 5 * seconds[8]


@pytest.fixture
def features(tmp_path):
    """Return a writer of features that gives the open file."""
    opened = []

    def write(values, valid):
        opened.append(h5py.File(tmp_path / "s.h5", "w"))
        opened[0]["features"], opened[0]["valid"] = np.asarray(values, np.float16), np.asarray(valid, bool)
        return opened[0]

    yield write
    opened[0].close()


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_confidences_are_inner_products_and_nan_where_a_patch_is_not_valid(features, monkeypatch, rows):
    monkeypatch.setattr(module, "SCORED_ROWS", rows)
    rng = np.random.default_rng(1)
    values, valid = rng.normal(size=(10, 4)).astype(np.float16), np.arange(10) % 3 > 0
    coef, intercept = rng.normal(size=(2, 4)), rng.normal(size=2)
    found = confidences(features(values, valid), coef, intercept)
    assert found.dtype == np.float32
    for m in range(2):
        for n in range(10):
            expected = sum(coef[m, d] * float(values[n, d]) for d in range(4)) + intercept[m]
            assert math.isnan(found[m, n]) if not valid[n] else found[m, n] == pytest.approx(expected, abs=1e-5)


def test_a_slide_without_patches_has_no_confidences(features):
    assert confidences(features(np.empty((0, 4)), []), np.ones((3, 4)), np.zeros(3)).shape == (3, 0)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_confidence_that_is_no_number_is_refused_by_file_name(features, value):
    with pytest.raises(SlidecafError, match=r"s\.h5: a confidence is infinite or not a number"):
        confidences(features([[1, 2], [value, 1]], [True, True]), np.ones((1, 2)), np.zeros(1))


def test_what_an_invalid_patch_holds_does_not_matter(features):
    found = confidences(features([[1, 2], [np.nan, 1]], [True, False]), np.ones((1, 2)), np.zeros(1))
    np.testing.assert_array_equal(found, [[3, np.nan]])


@pytest.fixture
def maps():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(2, 2, 300, 400)).astype(np.float32)
    values[:, :, :10] = np.nan
    return {
        "fold-0": dict(zip([0.1, 1e-4], values[0], strict=True)),
        "final": dict(zip([0.1, 1e-4], values[1], strict=True)),
    }


def write(path, maps):
    write_maps(path, ((part, list(own), iter(own.values())) for part, own in maps.items()), status="ok")
    return path


def test_every_map_is_read_back_by_part_and_C(tmp_path, maps):
    path = write(tmp_path / "s.h5", maps)
    for part, own in maps.items():
        for C, expected in own.items():
            found = read_map(path, part, C)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, expected)
    assert write(tmp_path / "t.h5", maps).read_bytes() == path.read_bytes()


def test_a_map_that_is_not_there_is_an_error_that_names_the_file(tmp_path, maps):
    path = write(tmp_path / "s.h5", maps)
    with pytest.raises(SlidecafError, match=r"s\.h5 has no map for C = 7"):
        read_map(path, "final", 7)
    with pytest.raises(SlidecafError, match=r"s\.h5 .*fold-9"):
        read_map(path, "fold-9", 0.1)
    with pytest.raises(SlidecafError, match=r"u\.h5"):
        read_map(tmp_path / "u.h5", "final", 0.1)


def test_a_slide_that_could_not_be_opened_has_no_maps(tmp_path):
    write_maps(tmp_path / "s.h5", (), status="unreadable")
    with pytest.raises(SlidecafError, match=r"s\.h5"):
        read_map(tmp_path / "s.h5", "final", 0.1)


def test_a_damaged_file_of_maps_is_named(tmp_path, maps):
    path = write(tmp_path / "s.h5", maps)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"x" * len(whole)):
        path.write_bytes(damaged)
        with pytest.raises(SlidecafError, match=r"s\.h5 is (missing|damaged)"):
            read_map(path, "final", 0.1)


def test_maps_that_fail_half_way_leave_no_file(tmp_path, maps):
    def broken():
        yield "fold-0", [0.1], [maps["fold-0"][0.1]]
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError, match="no model"):
        write_maps(tmp_path / "s.h5", broken(), status="ok")
    assert not list(tmp_path.iterdir())


def test_features_on_their_way_are_judged_in_any_order_as_from_a_file():
    rng = np.random.default_rng(0)
    rows, coef, intercept = rng.gamma(1, 1, (10, 4)).astype(np.float16), rng.normal(size=(2, 4)), np.array([1.0, -2])
    valid = np.arange(10) != 7
    writer = ConfidenceWriter(10, coef, intercept)
    for own in (slice(6, 10), slice(0, 6)):
        writer.write(own.start, rows[own], valid[own])
    expected = np.where(valid, coef @ rows.T.astype(float) + intercept[:, None], np.nan)
    np.testing.assert_allclose(writer.values, expected, rtol=1e-6)
    assert (writer.written, writer.nonzero) == (10, np.count_nonzero(rows[valid]))
    with pytest.raises(SlidecafError, match="infinite or not a number"):
        writer.write(0, np.full((1, 4), np.inf, np.float16), np.array([True]))


def test_final_models_confidences_are_read_back_by_variant_and_c(tmp_path):
    values = {"plain": np.zeros((2, 3), np.float32), "hard": np.arange(6, dtype=np.float32).reshape(2, 3)}
    write_confidences(tmp_path / "c.h5", values, C=[0.1, 1])
    assert read_confidences(tmp_path / "c.h5", "hard", 1).tolist() == [3, 4, 5]
    with pytest.raises(SlidecafError, match=r"c\.h5 has no confidences for C = 7"):
        read_confidences(tmp_path / "c.h5", "hard", 7)
