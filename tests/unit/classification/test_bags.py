"""Bags hold the vectors of valid patches, slide after slide, and nothing else."""

import numpy as np
import pytest

from slidecaf.classification.bags import Bags
from slidecaf.errors import SlidecafError, SlideError
from tests.unit.classification.bag_files import bag_file


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    vectors = {
        "a": rng.random((300, 5)),
        "b": rng.random((4, 5)),
        "none": np.empty((0, 5)),
        "other": rng.random((3, 6)),
    }
    paths = {}
    for name, values in vectors.items():
        paths[name] = bag_file(tmp_path / f"{name}.h5", values, status="ok" if len(values) else "no tissue")
    paths["holes"] = bag_file(tmp_path / "holes.h5", vectors["a"], invalid=[0, 7, 299])
    paths["lost"] = bag_file(tmp_path / "lost.h5", vectors["none"], status="unreadable")
    paths["dark"] = bag_file(tmp_path / "dark.h5", vectors["b"], invalid=range(4))
    return {"cnn": paths}, vectors


def read(files, *slides, on_bad_slide="exclude"):
    return Bags.read(files[0], slides=slides, wanted={"features": ["cnn"]}, on_bad_slide=on_bad_slide)


def test_a_matrix_has_the_valid_patches_slide_after_slide(files):
    bags = read(files, "b", "a", "holes")
    vectors, offsets = bags.matrix("cnn", ["a", "b", "holes"])
    whole = files[1]["a"].astype(np.float16)
    expected = [whole, files[1]["b"].astype(np.float16), np.delete(whole, [0, 7, 299], axis=0)]
    assert vectors.dtype == np.float16
    assert offsets.tolist() == [0, 300, 304, 601]
    np.testing.assert_array_equal(vectors, np.concatenate(expected))
    np.testing.assert_array_equal(np.concatenate(list(bags.blocks("cnn", "holes"))), expected[2])
    assert bags.patches == {("cnn", "a"): 300, ("cnn", "b"): 4, ("cnn", "holes"): 297}


def test_slides_without_patches_are_known_and_not_usable(files):
    bags = read(files, "none", "lost", "a")
    assert bags.usable(["lost", "a", "none"]) == ["a"]
    assert bags.status == {("cnn", "a"): "ok", ("cnn", "lost"): "unreadable", ("cnn", "none"): "no tissue"}
    with pytest.raises(SlideError, match="slide lost: it could not be read"):
        read(files, "lost", on_bad_slide="fail")


def test_what_is_no_bag_is_an_error_that_names_the_slide(files):
    with pytest.raises(SlidecafError, match="slide dark has no valid patch"):
        read(files, "dark")
    with pytest.raises(SlidecafError, match="slide other has vectors of 6 values and slide a of 5"):
        read(files, "a", "other").matrix("cnn", ["a", "other"])
