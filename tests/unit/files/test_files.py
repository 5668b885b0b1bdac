"""Files are whole or absent, equal for equal data, and read by other tools."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features.file import FLUSHED, open_features, valid_features, write_features
from slidecaf.files.atomic import atomic
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.pooling.file import read_pooled, write_pooled
from slidecaf.study.status import STATUS_NO_TISSUE, STATUS_OK

ATTRIBUTES = {"patch_size": 336, "name": "s", "status": "ok"}


def features_file(path, features, valid=None):
    coords = np.stack([np.arange(len(features)), np.arange(len(features))], 1)
    with write_features(
        path, coords, features.shape[1], coords_attributes=ATTRIBUTES, attributes={"status": "ok", "encoder": "alexnet"}
    ) as writer:
        for start in range(0, len(features), 100):
            part = features[start : start + 100]
            writer.append(part, np.ones(len(part), bool) if valid is None else valid[start : start + 100])


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def interrupted():
        with atomic(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_killed_writer_leaves_no_file_and_the_next_one_clears_up(tmp_path):
    code = (
        "import time; from slidecaf.files.atomic import atomic\n"
        f"with atomic({str(tmp_path / 'file.txt')!r}) as partial:\n"
        "    partial.write_text('half'); print('on', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"on\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "file.txt").exists()
    assert len(os.listdir(tmp_path)) == 1
    with atomic(tmp_path / "file.txt") as partial:
        partial.write_text("whole")
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_writer_leaves_the_half_written_file_of_a_longer_name_alone(tmp_path):
    with atomic(tmp_path / "s1.2.h5") as partial:
        partial.write_text("half")
        with atomic(tmp_path / "s1.h5") as other:
            other.write_text("whole")
    assert sorted(os.listdir(tmp_path)) == ["s1.2.h5", "s1.h5"]


def test_features_come_back_as_written_and_in_order(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.random((530, 7)).astype(np.float16)
    valid = rng.random(530) > 0.1
    features_file(tmp_path / "f.h5", features, valid)
    with open_features(tmp_path / "f.h5") as file:
        assert file["features"].dtype == np.float16
        np.testing.assert_array_equal(file["features"][:], features)
        np.testing.assert_array_equal(np.concatenate(list(valid_features(file, rows=64))), features[valid])


def test_the_file_is_laid_out_as_clam_and_trident_read_it(tmp_path):
    features_file(tmp_path / "f.h5", np.zeros((300, 8), np.float16))
    with h5py.File(tmp_path / "f.h5") as file:
        assert set(file) == {"features", "coords", "valid"}
        assert file["coords"].dtype == np.int64
        assert file["coords"].attrs["patch_size"] == 336
        assert file["features"].attrs["encoder"] == "alexnet"
        assert file["features"].compression in (None, "gzip", "lzf")
        assert 100 <= file["features"].chunks[0] <= 1000


def test_equal_data_gives_equal_bytes(tmp_path):
    features = np.random.default_rng(1).random((300, 8)).astype(np.float16)
    for name in "ab":
        features_file(tmp_path / f"{name}.h5", features)
        time.sleep(1.1)  # HDF5 keeps times in seconds, where it keeps them
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_slide_without_patches_has_a_file_of_no_rows(tmp_path):
    features_file(tmp_path / "f.h5", np.zeros((0, 8), np.float16))
    with open_features(tmp_path / "f.h5") as file:
        assert file["features"].shape == (0, 8)
        assert list(valid_features(file)) == []


def test_rows_left_unwritten_are_a_fault_and_leave_no_file(tmp_path):
    with (
        pytest.raises(AssertionError),
        write_features(tmp_path / "f.h5", np.zeros((3, 2)), 4, coords_attributes={}, attributes={}) as writer,
    ):
        writer.append(np.zeros((2, 4), np.float16), np.ones(2, bool))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "zeroed", "text"])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, damage):
    path = tmp_path / "f.h5"
    features_file(path, np.ones((300, 8), np.float16))
    content = path.read_bytes()
    damaged = {"truncated": content[: len(content) // 2], "zeroed": bytes(len(content)), "text": b"hello"}
    path.write_bytes(damaged[damage])
    with pytest.raises(SlidecafError, match=r"f\.h5 .*delete it and run again"), open_features(path) as file:
        file["features"][:]


def test_pooled_vectors_come_back_exactly(tmp_path):
    vectors = {"3": np.random.default_rng(2).random(5), "inf": np.ones(5)}
    write_pooled(tmp_path / "p.h5", vectors, patches=12, status=STATUS_OK)
    back, patches, status = read_pooled(tmp_path / "p.h5", ["3", "inf"])
    np.testing.assert_array_equal(back["3"], vectors["3"])
    assert (patches, status) == (12, "ok")
    write_pooled(tmp_path / "e.h5", {}, patches=0, status=STATUS_NO_TISSUE)
    assert read_pooled(tmp_path / "e.h5", ["3"]) == ({}, 0, "no tissue")


def test_numbers_in_tables_read_back_to_the_same_numbers(tmp_path):
    rows = [{"slide": "a", "value": 0.1 + 0.2}, {"slide": "b", "value": float("nan")}, {"slide": "c"}]
    write_tsv(tmp_path / "t.tsv", ["slide", "value"], rows)
    back = read_tsv(tmp_path / "t.tsv")
    assert float(back[0]["value"]) == 0.1 + 0.2
    assert [row["value"] for row in back[1:]] == ["", ""]


def test_json_holds_plain_numbers_and_no_nan(tmp_path):
    write_json(tmp_path / "v.json", {"a": np.float64(0.5), "b": np.arange(2), "c": float("nan"), "d": float("inf")})
    assert json.loads((tmp_path / "v.json").read_text()) == {"a": 0.5, "b": [0, 1], "c": None, "d": "inf"}
    (tmp_path / "v.json").write_text("{")
    with pytest.raises(SlidecafError, match=r"v\.json is damaged"):
        read_json(tmp_path / "v.json")


def test_features_are_compressed_while_more_come_and_blocks_in_any_order_give_the_same_rows(tmp_path):
    rng = np.random.default_rng(3)
    columns, rows = 300, 60  # of a grid, in blocks of 20 rows and half the columns
    features = rng.normal(0, 1, (rows * columns, 8)).astype(np.float16)
    coords = np.zeros((len(features), 2), np.int64)
    sizes, halfway = [], FLUSHED * features[0].nbytes // 2
    with write_features(tmp_path / "f.h5", coords, 8, coords_attributes={}, attributes={}) as writer:
        for top in range(0, rows, 20):
            for left in (0, columns // 2):
                for row in range(top, top + 20):
                    own = slice(row * columns + left, row * columns + left + columns // 2)
                    writer.write(own.start, features[own], np.ones(columns // 2, bool))
            (unfinished,) = [path for path in tmp_path.iterdir() if path.is_file()]
            sizes.append(unfinished.stat().st_size)
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[1] - sizes[0] > halfway
    with h5py.File(tmp_path / "f.h5") as file:
        np.testing.assert_array_equal(file["features"][:], features)
        assert file["valid"][:].all()
