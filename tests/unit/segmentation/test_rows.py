"""Who is left out of which model, and the rows that models learn from."""

from itertools import pairwise

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.file import write_features
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import Truth, write_labels
from slidecaf.segmentation.parts import FINAL, problems
from slidecaf.segmentation.rows import on_grid, read_patch_rows, row_weights
from slidecaf.study.groups import deal, leave_out

owners = st.lists(st.integers(0, 6), min_size=3, max_size=20).filter(lambda found: len(set(found)) >= 3)


@settings(max_examples=60)
@given(owners, st.sampled_from([None, 2, 3]), st.integers(2, 5), st.integers(0, 3))
def test_no_model_maps_a_patient_that_it_was_trained_on_and_each_part_maps_every_slide_once(
    found, folds, inner_folds, seed
):
    patients = {f"s{k:02}": f"p{owner}" for k, owner in enumerate(found)}
    folds = folds if folds and folds < len(set(found)) else None
    groups = leave_out(list(patients), list(patients.values()), folds, seed=seed)
    listed = problems(groups, patients, inner_folds, seed=seed)
    assert listed[-1].part == FINAL
    assert set(listed[-1].trained_on) == set(patients)
    for problem in listed:
        assert not {patients[s] for s in problem.trained_on} & {patients[s] for s in problem.mapped}
    for group in set(groups.values()):
        own = [problem for problem in listed if problem.part == f"fold-{group}"]
        left_out = {patients[slide] for slide in groups if groups[slide] == group}
        # nothing of the patients left out is used by any model of the part
        assert not any(patients[slide] in left_out for problem in own for slide in problem.trained_on)
        assert sorted(slide for problem in own for slide in problem.mapped) == sorted(patients)


def test_patients_are_dealt_evenly_by_slides_and_fixed_folds_decide():
    fold_of = deal([f"p{k}" for k in range(10) for _ in range(k % 3 + 1)], 3, seed=1)
    held = np.bincount(list(fold_of.values()), [int(name[1:]) % 3 + 1 for name in fold_of])
    assert max(held) - min(held) <= 1
    assert leave_out(["a", "b", "c"], ["x", "y", "z"], None, fixed=[7, 3, 7]) == {"a": 1, "b": 0, "c": 1}


@pytest.fixture
def files(tmp_path):
    """Two slides of 5 x 4 patches, the second with one that is not valid; each feature says where it stands."""
    coords = np.array([(x, y) for y in range(0, 32, 8) for x in range(0, 40, 8)])
    features, labels = {}, {}
    for number, slide in enumerate("ab"):
        values = np.c_[coords, np.full(20, number), np.arange(20)].astype(np.float16)
        valid = np.ones(20, bool)
        valid[0] = slide != "b"
        features[slide], labels[slide] = tmp_path / f"features-{slide}.h5", tmp_path / f"labels-{slide}.h5"
        with write_features(
            features[slide],
            coords,
            4,
            coords_attributes={"stride": 8, "stride_level0": 8.0},
            attributes={"status": "ok"},
        ) as writer:
            writer.append(values, valid)
        counts = np.zeros((1, 1), np.int64)
        cells = Cells(np.array([0, 40]), np.array([0, 32]))
        write_labels(labels[slide], Truth(cells, counts, counts, counts), np.arange(20) % 2 == number, status="ok")
    return features, labels


def test_rows_are_the_training_grid_and_hard_examples_off_it_each_once(files):
    rows = read_patch_rows(*files, training_stride=16, hard=[("a", 8, 8), ("b", 16, 16), ("b", 24, 8)])
    grid = [(x, y) for y in (0, 16) for x in (0, 16, 32)]
    stood = {slide: [tuple(c) for c in rows.coords[rows.slides == slide].tolist()] for slide in "ab"}
    assert sorted(stood["a"]) == sorted([*grid, (8, 8)])
    assert sorted(stood["b"]) == sorted([*grid[1:], (24, 8)])  # its first patch is not valid
    assert rows.matrix.dtype == np.float16
    assert np.array_equal(rows.matrix[:, :2], rows.coords)
    assert np.array_equal(rows.matrix[:, 2], (rows.slides == "b").astype(int))
    assert np.array_equal(rows.labels, rows.matrix[:, 3] % 2 == rows.matrix[:, 2])
    assert all(a <= b for a, b in pairwise(rows.slides))


def test_of_a_features_file_only_the_chunks_that_hold_a_wanted_patch_are_read(tmp_path):
    xs = np.arange(0, 300 * 8, 8)
    coords = np.array([(x, y) for y in range(0, 9 * 8, 8) for x in xs])
    features, labels = tmp_path / "f.h5", tmp_path / "l.h5"
    with write_features(
        features,
        coords,
        2,
        coords_attributes={"stride": 8, "stride_level0": 8.0},
        attributes={"status": "ok"},
    ) as writer:
        writer.append(np.c_[coords[:, 0] / 8, coords[:, 1]].astype(np.float16), np.ones(len(coords), bool))
    cells, counts = Cells(np.array([0, 2400]), np.array([0, 72])), np.zeros((1, 1), np.int64)
    write_labels(labels, Truth(cells, counts, counts, counts), np.arange(len(coords)) % 2 == 0, status="ok")
    expected = read_patch_rows({"s": features}, {"s": labels}, training_stride=32)
    np.testing.assert_array_equal(expected.matrix, expected.coords / [8, 1])
    # grid rows 0, 4 and 8 begin at rows 0, 1200 and 2400: chunks 0, 1, 4, 5, 9 and 10
    with h5py.File(features, "r") as file:
        spans = [file["features"].id.get_chunk_info(k) for k in (2, 3, 6, 7, 8)]
    with open(features, "r+b") as file:
        for span in spans:
            file.seek(span.byte_offset)
            file.write(b"\xff" * span.size)
    found = read_patch_rows({"s": features}, {"s": labels}, training_stride=32)
    np.testing.assert_array_equal(found.matrix, expected.matrix)
    with pytest.raises(SlidecafError, match=r"f\.h5 is (missing|damaged)"):
        read_patch_rows({"s": features}, {"s": labels}, training_stride=8)


def test_weights_count_hard_examples_again_and_leave_slides_out(files):
    hard = [("a", 8, 8), ("b", 16, 16)]
    rows = read_patch_rows(*files, training_stride=16, hard=hard)
    listed = problems({"a": 0, "b": 1, "c": 2}, {"a": "a", "b": "b", "c": "c"}, 2, seed=0)
    for problem in listed:
        weights = row_weights(rows, problem, hard, copies=2)
        for slide, (x, y), on, weight in zip(rows.slides, rows.coords.tolist(), rows.grid, weights, strict=True):
            expected = (on + 2 * ((slide, x, y) in hard)) * (slide in problem.trained_on)
            assert weight == expected


def test_an_unreadable_slide_is_an_error_where_bad_slides_fail(files):
    features, labels = files
    with write_features(features["b"], [], 4, coords_attributes={}, attributes={"status": "unreadable"}):
        pass
    assert set(read_patch_rows(features, labels, training_stride=8).slides) == {"a"}
    with pytest.raises(SlideError, match="slide b: it could not be read"):
        read_patch_rows(features, labels, training_stride=8, on_bad_slide="fail")


def test_a_coarser_grid_is_found_where_positions_were_rounded():
    coords = np.rint(np.arange(12)[:, None] * [9.6, 0]).astype(int)
    chosen = on_grid(coords, {"stride": 8, "stride_level0": 9.6}, 24)
    assert np.flatnonzero(chosen).tolist() == [0, 3, 6, 9]
