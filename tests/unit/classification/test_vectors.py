"""The slides that a part learns from, and their pooled vectors."""

import numpy as np
import pytest

from slidecaf.classification.vectors import PooledVectors, held_out_slides, rows_of, training_slides
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.shards import WholeImage, write_shard
from slidecaf.pooling.file import write_pooled
from slidecaf.pooling.norms import norm_name

FOLDS = [{"slide": slide, "patient": slide, "fold": fold} for slide, fold in (("c", "0"), ("a", "1"), ("b", "0"))]


@pytest.fixture
def files(tmp_path):
    """Two feature sets, whose files have any names; slide c has no tissue in one, and is unreadable in the other."""
    paths = {"one": {}, "two": {}}
    for k, (features, slide) in enumerate((f, s) for f in paths for s in "abc"):
        path = paths[features][slide] = tmp_path / f"{k}.h5"
        status = "ok" if slide != "c" else {"one": "no tissue", "two": "unreadable"}[features]
        vectors = (
            {norm_name(3.0): np.full(2, k, float), norm_name(float("inf")): np.full(2, -k, float)}
            if status == "ok"
            else {}
        )
        write_pooled(path, vectors, patches=k, status=status)
    return paths


def test_a_part_learns_from_the_slides_that_it_does_not_hold_out():
    assert training_slides(FOLDS, "fold-0") == ["a"]
    assert held_out_slides(FOLDS, "fold-0") == ["b", "c"]
    assert training_slides(FOLDS, "final") == ["a", "b", "c"]
    assert held_out_slides(FOLDS, "final") == []


def test_a_matrix_has_a_row_a_slide_of_the_feature_set_and_norm_that_are_asked_for(files):
    vectors = PooledVectors(files, slides=["b", "a"], norms=[3.0, float("inf")])
    assert vectors.matrix("one", 3, ["b", "a"]).tolist() == [[1, 1], [0, 0]]
    assert vectors.matrix("two", "inf", ["a"]).tolist() == [[-3, -3]]
    assert vectors.patches["two", "b"] == 4
    assert vectors.usable(["a", "b"]) == ["a", "b"]


def test_a_slide_without_a_vector_in_one_feature_set_is_usable_in_none(files):
    vectors = PooledVectors(files, slides="abc", norms=[3.0])
    assert vectors.usable("abc") == ["a", "b"]
    assert (vectors.status["one", "c"], vectors.status["two", "c"]) == ("no tissue", "unreadable")
    with pytest.raises(SlideError, match="slide c: it could not be read and was left out of two"):
        PooledVectors(files, slides="abc", norms=[3.0], on_bad_slide="fail")


def test_a_class_without_a_slide_is_an_error():
    table = [{"slide": "a", "label": "x"}, {"slide": "b", "label": "y"}]
    assert rows_of(table, ["b", "a"], "xy") == table[::-1]
    with pytest.raises(SlidecafError, match="label 'y': none of its training slides has a patch"):
        rows_of(table, ["a"], "xy")


def test_whole_images_have_their_vector_under_every_norm_and_one_patch(tmp_path, files):
    rows = {slide: np.full((1, 2), value, np.float16) for slide, value in {"a": -3, "b": 5}.items()}
    images = {slide: WholeImage(row) for slide, row in rows.items()}
    write_shard(tmp_path / "shard-0.h5", images | {"c": WholeImage(rows["a"][:0], "unreadable")}, {})
    write_shard(tmp_path / "shard-1.h5", {"d": WholeImage(2 * rows["b"])}, {})
    paths = {"whole": dict.fromkeys("abc", tmp_path / "shard-0.h5") | {"d": tmp_path / "shard-1.h5"}}
    vectors = PooledVectors(paths, slides="abcd", norms=[3.0, float("inf")])
    for norm in (3, "inf"):
        found = vectors.matrix("whole", norm, ["d", "a", "b"])
        assert found.dtype == np.float64
        assert found.tolist() == [[10, 10], [-3, -3], [5, 5]]  # below zero too: nothing is raised to a power
    assert [vectors.patches["whole", slide] for slide in "abcd"] == [1, 1, 0, 1]
    assert vectors.usable("abcd") == ["a", "b", "d"]
    both = PooledVectors({**files, **paths}, slides="ab", norms=[3.0])  # candidates of both kinds, side by side
    assert both.matrix("one", 3, ["b"]).tolist() == [[1, 1]]
    assert both.matrix("whole", 3, ["b"]).tolist() == [[5, 5]]
    with pytest.raises(SlideError, match="slide c: it could not be read and was left out of whole"):
        PooledVectors(paths, slides="abc", norms=[3.0], on_bad_slide="fail")


def test_places_of_an_image_are_pooled_as_patches_are(tmp_path):
    rows = np.random.default_rng(0).random((9, 4)).astype(np.float16)
    where = {"scale": np.ones(9, np.float32), "box": np.zeros((9, 4), np.float32)}
    images = {"a": WholeImage(rows, **where), "bad": WholeImage(rows[:0], "unreadable")}
    write_shard(tmp_path / "shard-0.h5", images, {})
    vectors = PooledVectors({"places": dict.fromkeys("a", tmp_path / "shard-0.h5")}, slides=["a"], norms=[3, "inf"])
    expected = np.mean(rows.astype(float) ** 3, axis=0) ** (1 / 3)
    np.testing.assert_allclose(vectors.matrix("places", 3, ["a"])[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(vectors.matrix("places", "inf", ["a"])[0], rows.max(axis=0))
    assert vectors.patches["places", "a"] == 9
