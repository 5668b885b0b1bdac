"""Descriptors of images, whatever file they are in."""

import numpy as np
import pytest

from slidecaf.errors import SlidecafError
from slidecaf.features import shards
from slidecaf.features.file import open_features, valid_features, write_features
from slidecaf.features.rows import each_rows, read_rows
from slidecaf.features.shards import WholeImage, read_shard, write_shard

GENERATOR = np.random.default_rng(0)


def places(count, dimension=5):
    """An image of some places."""
    return WholeImage(
        GENERATOR.normal(size=(count, dimension)).astype(np.float16),
        level0_width=40,
        level0_height=30,
        scale=GENERATOR.random(count).astype(np.float32),
        box=GENERATOR.random((count, 4)).astype(np.float32),
    )


@pytest.mark.parametrize("block", [4, shards.BLOCK_ROWS])
def test_places_are_read_image_by_image_with_scale_and_box(tmp_path, monkeypatch, block):
    monkeypatch.setattr(shards, "BLOCK_ROWS", block)
    images = {"a": places(7), "bad": WholeImage(np.zeros((0, 5), np.float16), "unreadable"), "c": places(12)}
    write_shard(tmp_path / "shard-0.h5", images, {})
    paths = dict.fromkeys(images, tmp_path / "shard-0.h5")
    found = dict(each_rows(paths, ["c", "bad", "a"]))
    assert list(found) == ["c", "bad", "a"]
    for slide in ("a", "c"):
        np.testing.assert_array_equal(found[slide].vectors, images[slide].features)
        np.testing.assert_array_equal(found[slide].scales, images[slide].scale)
        np.testing.assert_array_equal(found[slide].boxes, images[slide].box)
        assert (found[slide].size, found[slide].status) == ((40, 30), "ok")
        again = read_shard(tmp_path / "shard-0.h5")[slide]
        np.testing.assert_array_equal(again.box, images[slide].box)
        np.testing.assert_array_equal(again.features, images[slide].features)
    assert (len(found["bad"].vectors), found["bad"].status) == (0, "unreadable")


def test_patches_are_read_alike_and_valid_ones_only(tmp_path):
    coords, vectors = np.array([[0, 0], [10, 0], [0, 10]]), np.eye(3, 4, dtype=np.float16)
    said = {"patch_size_level0": 10, "level0_width": 25, "level0_height": 20}
    with write_features(tmp_path / "a.h5", coords, 4, coords_attributes=said, attributes={"status": "ok"}) as writer:
        writer.append(vectors, np.array([True, False, True]))
    rows = read_rows(tmp_path / "a.h5", "a")
    np.testing.assert_array_equal(rows.vectors, vectors[[0, 2]])
    assert rows.boxes.tolist() == [[0, 0, 10, 10], [0, 10, 10, 10]]
    assert (rows.scales.tolist(), rows.size, rows.status) == ([1, 1], (25, 20), "ok")


def test_several_outputs_are_a_dataset_each_and_one_has_to_be_named(tmp_path):
    outputs = {"late": (3, "features.12"), "early": (2, "features.3")}
    side_by_side = np.arange(10, dtype=np.float16).reshape(2, 5)  # by name: early, then late
    with write_features(
        tmp_path / "a.h5", [[0, 0], [9, 0]], 5, coords_attributes={}, attributes={"status": "ok"}, outputs=outputs
    ) as writer:
        writer.append(side_by_side, np.array([True, True]))
    images = {name: WholeImage(side_by_side[i : i + 1]) for i, name in enumerate("ab")}
    write_shard(tmp_path / "shard-0.h5", images, {"encoder": "own"}, outputs=outputs)
    np.testing.assert_array_equal(read_shard(tmp_path / "shard-0.h5")["b"].features, side_by_side[1:])
    for output, columns in {"early": slice(0, 2), "late": slice(2, 5)}.items():
        with open_features(tmp_path / "a.h5") as file:
            found = np.concatenate(list(valid_features(file, output=output)))
            assert file["features"][output].attrs["layer"] == outputs[output][1]
        np.testing.assert_array_equal(found, side_by_side[:, columns])
        one = read_shard(tmp_path / "shard-0.h5", output=output)["a"].features
        np.testing.assert_array_equal(one, side_by_side[:1, columns])
    with pytest.raises(SlidecafError, match=r"has several outputs \(early, late\)"):
        read_rows(tmp_path / "shard-0.h5", "a")
    with pytest.raises(SlidecafError, match=r"no output 'other' but early, late"):
        read_shard(tmp_path / "shard-0.h5", output="other")
