import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slidecaf.classification.folds import assign_folds, class_indices, inner_fold_count, rarest_class, write_folds
from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_tsv


def study(slides_of):
    """Labels and groups from {patient: {class: slides}}."""
    rows = [
        (label, patient)
        for patient, classes in slides_of.items()
        for label, count in classes.items()
        for _ in range(count)
    ]
    labels, groups = zip(*rows, strict=True)
    return np.array(labels), np.array(groups)


@st.composite
def studies(draw):
    folds = draw(st.integers(2, 4))
    slides_of = {}
    for label in ("GBM", "LGG", "oligo")[: draw(st.integers(2, 3))]:
        for number in range(folds + draw(st.integers(0, 4))):
            slides_of[f"{label}-{number}"] = {label: draw(st.integers(1, 6))}
    return *study(slides_of), folds


@settings(max_examples=25)
@given(studies(), st.integers(0, 1000))
def test_folds_keep_patients_whole_and_train_on_every_class(case, seed):
    labels, groups, folds = case
    assigned = assign_folds(labels, groups, folds, seed=seed)
    assert set(assigned) == set(range(folds))
    for group in set(groups):
        assert len(set(assigned[groups == group])) == 1
    for label in set(labels):
        count = len(set(groups[labels == label]))
        least = 1 if count - math.ceil(count / folds) == 1 else 2  # what the plan promises to the inner folds
        for fold in range(folds):
            assert len(set(groups[(labels == label) & (assigned != fold)])) >= least


@settings(max_examples=15)
@given(studies(), st.randoms(use_true_random=False))
def test_folds_do_not_depend_on_the_order_of_rows(case, random):
    labels, groups, folds = case
    order = np.array(random.sample(range(len(labels)), len(labels)))
    shuffled = assign_folds(labels[order], groups[order], folds, seed=3)
    np.testing.assert_array_equal(shuffled, assign_folds(labels, groups, folds, seed=3)[order])


def test_folds_are_stratified_and_drawn_by_the_seed():
    labels, groups = study({f"p{i}": {"GBM" if i < 20 else "LGG": 1} for i in range(30)})
    drawn = [assign_folds(labels, groups, 5, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()
    for fold in range(5):
        assert list(labels[drawn[0] == fold]).count("GBM") == 4
        assert list(labels[drawn[0] == fold]).count("LGG") == 2


def test_patients_with_slides_of_two_classes_still_leave_every_class_to_train_on():
    # StratifiedGroupKFold parts p and r first, and then q can only join one of them.
    labels, groups = study({"p": {"A": 1}, "q": {"A": 1, "B": 1}, "r": {"B": 2}})
    assigned = assign_folds(labels, groups, 2)
    for fold in range(2):
        assert set(labels[assigned != fold]) == {"A", "B"}


classes_of_a_patient = st.dictionaries(st.sampled_from("AB"), st.integers(1, 9), min_size=1)


@settings(max_examples=50)
@given(st.lists(classes_of_a_patient, min_size=3, max_size=6), st.integers(2, 3))
def test_two_classes_are_divided_wherever_that_can_be_done(patients, folds):
    labels, groups = study({f"p{i}": classes for i, classes in enumerate(patients)})
    assume(len(set(labels)) > 1 and all(len(set(groups[labels == c])) >= folds for c in set(labels)))

    def will_do(deal):
        of = {c: {deal[i] for i, has in enumerate(patients) if c in has} for c in set(labels)}
        return set(deal) == set(range(folds)) and all(len(held) > 1 for held in of.values())

    assume(any(will_do(deal) for deal in product(range(folds), repeat=len(patients))))
    assigned = assign_folds(labels, groups, folds)
    assert will_do([assigned[groups == f"p{i}"][0] for i in range(len(patients))])


def test_folds_that_cannot_be_made_are_an_error():
    # Each pair of three patients shares a class: no two folds part every pair.
    labels, groups = study({"p": {"A": 1, "C": 1}, "q": {"A": 1, "B": 1}, "r": {"B": 1, "C": 1}})
    with pytest.raises(SlidecafError, match=r"no division into 2 folds .* fold column"):
        assign_folds(labels, groups, 2)


def test_a_class_with_too_few_patients_is_named_with_what_to_set():
    labels, groups = study({"a": {"GBM": 5}, "b": {"GBM": 1}, **{f"c{i}": {"LGG": 1} for i in range(5)}})
    with pytest.raises(SlidecafError, match=r"class GBM has slides of 2 patients \(a, b\).*set folds to 2"):
        assign_folds(labels, groups, 3)
    labels, groups = study({"a": {"GBM": 5}, **{f"c{i}": {"LGG": 1} for i in range(5)}})
    with pytest.raises(SlidecafError, match=r"class GBM has slides of 1 patient \(a\).*; add patients"):
        assign_folds(labels, groups, 3)


def test_one_class_only_is_an_error():
    with pytest.raises(SlidecafError, match="all training rows have the label GBM"):
        assign_folds(["GBM"] * 4, list("abcd"), 2)


def test_fixed_folds_are_taken_in_natural_order():
    labels = ["A", "B"] * 4
    groups = list("abcdefgh")
    fixed = ["10", "10", "2", "2", "site-b", "site-b", "9", "9"]
    assert assign_folds(labels, groups, 3, fixed=fixed).tolist() == [2, 2, 0, 0, 3, 3, 1, 1]
    assert assign_folds(labels, groups, 3, fixed=[1, 1, 0, 0, 2, 2, 2, 2]).tolist() == [1, 1, 0, 0, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        (["1", "2", "1", "2", "2"], "patient a is in folds 1 and 2"),
        (["1", "1", "1", "1", "2"], "all slides of class LGG are in fold 1"),
        (["1", "1", "2", "", "2"], "patient c has no fold"),
        (["1", "1", "1", "1", "1"], "'1' only; give two folds"),
    ],
)
def test_fixed_folds_that_will_not_do_are_errors(fixed, message):
    with pytest.raises(SlidecafError, match=message):
        assign_folds(["GBM", "GBM", "LGG", "LGG", "GBM"], ["a", "a", "b", "c", "d"], 2, fixed=fixed)


def test_inner_folds_shrink_to_the_patients_of_the_rarest_class():
    labels, groups = study({"a": {"GBM": 9}, "b": {"GBM": 1}, **{f"c{i}": {"LGG": 1} for i in range(5)}})
    assert rarest_class(labels, groups) == ("GBM", ["a", "b"])
    assert inner_fold_count(labels, groups, 5) == 2
    many = labels == "LGG"
    assert inner_fold_count(labels[many], groups[many], 3) == 3
    one = groups != "b"
    assert inner_fold_count(labels[one], groups[one], 3) is None


def test_class_indices_name_what_is_unknown_or_missing():
    assert class_indices(np.array(["b", "a", "b"]), ["b", "a"]).tolist() == [0, 1, 0]
    with pytest.raises(SlidecafError, match="label 'c' is none of the classes; write a or b"):
        class_indices(np.array(["a", "c", "b"]), ["a", "b"])
    with pytest.raises(SlidecafError, match="class b has no slide with tissue in the training rows"):
        class_indices(["a"], ["a", "b"], where="the training rows")


@pytest.mark.parametrize("fixed", [None, [7, 7, 10, 10, 7, 10, 10, 7]])
def test_the_table_of_folds_is_that_of_the_sheet_or_drawn_by_seed(tmp_path, fixed):
    rows = [
        {"slide": f"s{k}", "label": "ab"[k % 2], "patient": f"p{k}", "fold": fixed[k] if fixed else None}
        for k in range(8)
    ]
    labels, patients = [row["label"] for row in rows], [row["patient"] for row in rows]
    expected = assign_folds(labels, patients, 2, seed=3, fixed=fixed)
    for name in ("one", "two"):
        write_folds(tmp_path / name, rows, folds=2, seed=3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_tsv(tmp_path / "one") == [
        {"slide": f"s{k}", "patient": f"p{k}", "fold": str(fold)} for k, fold in enumerate(expected)
    ]
    if fixed:
        assert expected.tolist() == [0, 0, 1, 1, 0, 1, 1, 0]
