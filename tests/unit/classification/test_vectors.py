"""The slides that a part learns from, and their pooled vectors."""

import numpy as np
import pytest

from slidecaf.classification.vectors import PooledVectors, held_out_slides, rows_of, training_slides
from slidecaf.errors import SlidecafError, SlideError
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
