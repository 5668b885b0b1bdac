import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.errors import SlidecafError
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import (
    Truth,
    count_masks,
    patch_labels,
    read_patch_labels,
    read_truth,
    write_labels,
)


def truth_of(cells, necrosis, hemorrhage=None):
    return count_masks(cells, [necrosis], None if hemorrhage is None else [hemorrhage])


def label(necrosis, hemorrhage=None, *, size):
    """Label one patch at the corner of a mask."""
    coords = np.zeros((1, 2), np.int64)
    cells = Cells.of_patches(coords, size, necrosis.shape[1], necrosis.shape[0])
    return bool(patch_labels(truth_of(cells, necrosis, hemorrhage), coords, size)[0])


def block(height, width, filled):
    """A mask whose first pixels, row by row, are filled."""
    return (np.arange(height * width) < filled).reshape(height, width)


@settings(max_examples=60)
@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(1, 12),
    st.integers(1, 12),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_labels_are_those_of_counting_a_patchs_own_pixels(width, height, size, stride, bled, seed):
    rng = np.random.default_rng(seed)
    coords = np.array([(x, y) for y in range(0, height, stride) for x in range(0, width, stride)], np.int64)
    necrosis = rng.random((height, width)) < rng.choice([0.3, 0.5, 0.7])
    hemorrhage = rng.random((height, width)) < 0.5 if bled else None
    expected = []
    for x, y in coords:
        own = (slice(y, min(y + size, height)), slice(x, min(x + size, width)))
        dead = np.count_nonzero(necrosis[own]) > necrosis[own].size / 2
        covered = bled and np.count_nonzero(hemorrhage[own]) > necrosis[own].size / 2
        expected.append(dead and not covered)
    cells = Cells.of_patches(coords, size, width, height)
    np.testing.assert_array_equal(patch_labels(truth_of(cells, necrosis, hemorrhage), coords, size), expected)


def test_half_of_a_patch_is_not_more_than_half():
    assert not label(block(6, 6, 18), size=6)
    assert label(block(6, 6, 19), size=6)
    assert label(block(5, 5, 13), size=5)
    assert not label(block(5, 5, 12), size=5)


def test_hemorrhage_over_more_than_half_makes_a_necrosis_patch_non_necrosis():
    full = np.ones((6, 6), bool)
    assert label(full, block(6, 6, 18), size=6)
    assert not label(full, block(6, 6, 19), size=6)
    assert not label(block(6, 6, 0), full, size=6)


def test_pixels_beyond_the_border_do_not_count():
    assert label(block(3, 2, 4), size=100)
    assert not label(block(3, 2, 3), size=100)


def test_patches_of_a_coarser_grid_are_labelled_on_the_cells_of_the_finer_one():
    necrosis = np.random.default_rng(0).random((50, 60)) < 0.5
    fine, coarse = (np.array([(x, y) for y in range(0, 50, s) for x in range(0, 60, s)], np.int64) for s in (4, 12))
    truth = truth_of(Cells.of_patches(fine, 12, 60, 50), necrosis)
    expected = [necrosis[y : y + 12, x : x + 12].mean() > 0.5 for x, y in coarse]
    np.testing.assert_array_equal(patch_labels(truth, coarse, 12), expected)


def test_masks_are_counted_together_strip_by_strip():
    rng = np.random.default_rng(1)
    necrosis, hemorrhage = rng.random((2, 20, 30)) < 0.4
    cells = Cells(np.array([0, 7, 30]), np.array([0, 11, 20]))
    strips = [slice(0, 3), slice(3, 15), slice(15, 20)]
    truth = count_masks(cells, (necrosis[s] for s in strips), (hemorrhage[s] for s in strips))
    for name, mask in (("necrosis", necrosis), ("hemorrhage", hemorrhage), ("both", necrosis & hemorrhage)):
        expected = [[mask[:11, :7].sum(), mask[:11, 7:].sum()], [mask[11:, :7].sum(), mask[11:, 7:].sum()]]
        np.testing.assert_array_equal(getattr(truth, name), expected)


def test_without_a_hemorrhage_mask_nothing_bleeds():
    truth = truth_of(Cells(np.array([0, 4]), np.array([0, 4])), np.ones((4, 4), bool))
    assert (truth.necrosis.tolist(), truth.hemorrhage.tolist(), truth.both.tolist()) == ([[16]], [[0]], [[0]])


@pytest.fixture
def written(tmp_path):
    rng = np.random.default_rng(2)
    coords = np.array([(x, y) for y in range(0, 300, 8) for x in range(0, 400, 8)], np.int64)
    cells = Cells.of_patches(coords, 24, 400, 300)
    truth = truth_of(cells, rng.random((300, 400)) < 0.5, rng.random((300, 400)) < 0.1)
    labels = patch_labels(truth, coords, 24)
    write_labels(tmp_path / "a.h5", truth, labels, status="ok")
    return tmp_path / "a.h5", truth, labels


def test_what_is_written_is_read_back(written, tmp_path):
    path, truth, labels = written
    found = read_truth(path)
    for name in ("necrosis", "hemorrhage", "both"):
        np.testing.assert_array_equal(getattr(found, name), getattr(truth, name))
        assert getattr(found, name).dtype == np.int64
    np.testing.assert_array_equal(found.cells.cuts_x, truth.cells.cuts_x)
    np.testing.assert_array_equal(found.cells.cuts_y, truth.cells.cuts_y)
    read = read_patch_labels(path, len(labels))
    assert read.dtype == bool
    np.testing.assert_array_equal(read, labels)
    write_labels(tmp_path / "b.h5", truth, labels, status="ok")
    assert (tmp_path / "b.h5").read_bytes() == path.read_bytes()


def test_a_slide_that_could_not_be_opened_has_no_truth_and_no_labels(tmp_path):
    write_labels(tmp_path / "a.h5", None, np.empty(0, bool), status="unreadable")
    assert read_truth(tmp_path / "a.h5") is None
    assert len(read_patch_labels(tmp_path / "a.h5", 0)) == 0


def test_a_cell_of_more_than_two_thousand_million_pixels_keeps_its_count(tmp_path):
    cells = Cells.of_patches(np.empty((0, 2)), 112, 60_000, 60_000)
    count = np.array([[3_500_000_000]])
    write_labels(tmp_path / "a.h5", Truth(cells, count, count, count), np.empty(0, bool), status="no tissue")
    assert read_truth(tmp_path / "a.h5").necrosis.tolist() == [[3_500_000_000]]


def test_labels_of_other_patches_are_refused_by_file_name(written):
    path, _, labels = written
    with pytest.raises(SlidecafError, match=rf"a\.h5 has {len(labels)} labels for {len(labels) + 1} patches"):
        read_patch_labels(path, len(labels) + 1)


DAMAGES = {
    "empty": lambda whole: b"",
    "cut off": lambda whole: whole[: len(whole) // 2],
    "another kind": lambda whole: b"x" * len(whole),
}


@pytest.mark.parametrize("damage", [None, *DAMAGES])
def test_a_missing_or_damaged_file_is_named(written, damage):
    path, _, labels = written
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(SlidecafError, match=r"a\.h5 is (missing|damaged)"):
        read_truth(path)
    with pytest.raises(SlidecafError, match=r"a\.h5 is (missing|damaged)"):
        read_patch_labels(path, len(labels))


@pytest.mark.parametrize("name", ["cuts_x", "cuts_y", "necrosis", "hemorrhage", "both"])
def test_a_file_that_lacks_a_dataset_is_named(written, name):
    path, *_ = written
    with h5py.File(path, "r+") as file:
        del file[name]
    with pytest.raises(SlidecafError, match=rf"a\.h5 is (missing|damaged) .*{name}"):
        read_truth(path)
