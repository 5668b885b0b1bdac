"""The file of many whole images."""

import h5py
import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features.shards import WholeImage, in_shards, read_shard, write_shard

ATTRIBUTES = {"encoder": "alexnet", "layer": "classifier.5", "weights_sha256": "ab" * 32}


def images(dimension=3):
    rows = np.arange(2 * dimension, dtype=np.float16).reshape(2, 1, dimension)
    known = {"level0_width": 40, "level0_height": 30, "level0_mpp": 0.5}
    return {
        "a": WholeImage(rows[0], slide_digest="d1", made_from="m1", **known),
        "bad": WholeImage(rows[0][:0], "unreadable", "d2", "m2"),
        "c": WholeImage(rows[1], slide_digest="d3", made_from="m3"),
    }


def test_what_is_written_is_read_and_the_rows_stand_one_after_another(tmp_path):
    write_shard(tmp_path / "shard-0.h5", images(), ATTRIBUTES)
    found = read_shard(tmp_path / "shard-0.h5")
    assert list(found) == ["a", "bad", "c"]
    for slide, image in images().items():
        for key in ("status", "slide_digest", "made_from", "level0_width", "level0_height"):
            assert getattr(found[slide], key) == getattr(image, key)
        np.testing.assert_array_equal(found[slide].features, image.features)
        np.testing.assert_equal(found[slide].level0_mpp, image.level0_mpp)
    with h5py.File(tmp_path / "shard-0.h5") as file:
        assert (file["features"].dtype, file["features"].shape) == (np.float16, (2, 3))
        assert file["features"].compression == "gzip"
        assert file["slides"][:].tolist() == [b"a", b"bad", b"c"]
        assert file["offsets"][:].tolist() == [0, 1, 1, 2]
        assert dict(file["features"].attrs) == ATTRIBUTES
    without = read_shard(tmp_path / "shard-0.h5", features=False)
    assert without["c"].slide_digest == "d3"
    assert len(without["c"].features) == 0


def test_a_shard_of_unreadable_images_has_no_row(tmp_path):
    write_shard(tmp_path / "shard-0.h5", {"bad": images()["bad"]}, {})
    found = read_shard(tmp_path / "shard-0.h5")["bad"]
    assert (found.status, found.features.shape) == ("unreadable", (0, 3))


def test_files_made_twice_are_equal_byte_by_byte(tmp_path):
    for name in ("one.h5", "other.h5"):
        write_shard(tmp_path / name, images(4096), ATTRIBUTES)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "other.h5").read_bytes()


def test_a_damaged_file_and_one_that_is_no_shard_are_named(tmp_path):
    path = tmp_path / "shard-0.h5"
    write_shard(path, images(), ATTRIBUTES)
    assert in_shards({"a": path})
    assert not in_shards({})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SlidecafError, match=r"shard-0\.h5"):
        read_shard(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("features", data=np.zeros((1, 2)))
    assert not in_shards({"a": tmp_path / "other.h5"})
    with pytest.raises(SlidecafError, match="no whole shard of features; delete it and run again"):
        read_shard(tmp_path / "other.h5")
