"""Classes of a sheet as a study takes them: codes cut at a depth, rare classes left out and listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slidecaf.errors import InputErrors
from slidecaf.study.checked import check_study
from slidecaf.study.classes import cut_labels, drop_rare
from slidecaf.study.sheets import Row


def rows(*labels, splits=None):
    splits = splits or ["train"] * len(labels)
    return [
        Row(k + 2, f"i{k}", f"i{k}.png", f"p{k}", split, None, None, label=label)
        for k, (label, split) in enumerate(zip(labels, splits, strict=True))
    ]


def said(call, *arguments):
    with pytest.raises(InputErrors) as caught:
        call(*arguments, source="sheet.tsv")
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("depth", "labels"),
    [
        (None, ["1121-127-700-500", "1121-120-700-500", "1123-127-700-500", ""]),
        (1, ["1121", "1121", "1123", ""]),
        (2, ["1121-127", "1121-120", "1123-127", ""]),
        (4, ["1121-127-700-500", "1121-120-700-500", "1123-127-700-500", ""]),
    ],
)
def test_codes_are_cut_after_so_many_parts(depth, labels):
    given = rows("1121-127-700-500", "1121-120-700-500", "1123-127-700-500", "")
    assert [row.label for row in cut_labels(given, depth, source="sheet.tsv")] == labels


def test_a_code_with_fewer_parts_is_an_error_that_names_its_row():
    text = said(cut_labels, rows("1121-127", "1121"), 2)
    assert "row 3, column label: '1121' has 1 part between '-', and classification.label_depth keeps 2" in text


@given(st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=30), st.integers(1, 12))
def test_every_row_is_kept_or_dropped_by_the_rows_of_its_class(labels, least):
    listed = rows(*labels)
    many = {label for label in labels if label and labels.count(label) >= least}
    few = {label: labels.count(label) for label in labels if label and label not in many}
    if few and len(many) < 2:
        assert f"min_images: {least} leaves" in said(drop_rare, listed, least)
        return
    kept, dropped, classes = drop_rare(listed, least, source="sheet.tsv")
    assert [row.label for row in kept] == [label for label in labels if not label or label in many]
    assert sorted(row.number for row in [*kept, *dropped]) == [row.number for row in listed]
    assert classes == few


def test_nothing_is_dropped_where_nothing_is_asked():
    assert drop_rare(rows("a", "b"), None, source="sheet.tsv") == (rows("a", "b"), [], {})


def test_min_images_that_leaves_one_class_says_what_there_is():
    text = said(drop_rare, rows(*"aaaabbc"), 3)
    assert "classification.min_images: 3 leaves one class, a, and two are needed; the sheet has a 4, b 2, c 1." in text
    assert "min_images: 9 leaves no class" in said(drop_rare, rows(*"aaaabbc"), 9)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A collection of codes, whose third class has two images, and whose fourth stands in test only."""
    monkeypatch.chdir(tmp_path)
    lines = []
    for k, (label, split) in enumerate(
        [("11-1", "train"), ("11-2", "train"), ("12-1", "train"), ("12-1", "train")] * 2
        + [("13-1", "train"), ("13-2", "test"), ("14-1", "test"), ("12-9", "test"), ("", "test")]
    ):
        (tmp_path / f"{k}.png").touch()
        lines.append(f"i{k}\t{k}.png\t{label}\tp{k}\t{split}")
    (tmp_path / "c.tsv").write_text("\n".join(["image\tpath\tlabel\tpatient\tsplit", *lines]) + "\n")
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    return {
        "features": {"whole": {"tiling": "whole", "encoder": encoder}},
        "classification": {
            **{"sheet": "c.tsv", "positive": "12", "folds": 2, "label_depth": 1, "min_images": 3},
            **{"item_name": "image", "methods": {"svm": {"features": "whole", "C": 1}}},
        },
    }


def test_a_study_leaves_rare_classes_out_counting_training_and_test_rows(study):
    checked = check_study(study)
    assert checked.classes == ["11", "12"]
    assert checked.rare_classes == {"13": 2, "14": 1}
    assert [row.slide for row in checked.rare] == ["i8", "i9", "i10"]
    assert [row.slide for row in checked.classification if row.split == "test"] == ["i11", "i12"]
    assert set(checked.slides_of("whole")) == {f"i{k}" for k in (*range(8), 11, 12)}


def test_without_min_images_a_class_with_one_patient_is_an_error_that_names_it(study):
    del study["classification"]["min_images"], study["classification"]["positive"]
    with pytest.raises(InputErrors) as caught:
        check_study(study)
    text = "\n".join(caught.value.problems)
    assert "'14' stands in test only" in text
    assert "'13' has one patient in train, so that no fold can be left out; add patients." in text


def test_a_depth_that_leaves_one_class_is_an_error(study, tmp_path):
    text = (tmp_path / "c.tsv").read_text()
    for code in ("11-", "12-", "13-", "14-"):
        text = text.replace(f"\t{code}", "\t1-")
    (tmp_path / "c.tsv").write_text(text)
    del study["classification"]["min_images"]
    with pytest.raises(InputErrors) as caught:
        check_study(study)
    assert "all training rows are '1'" in "\n".join(caught.value.problems)
