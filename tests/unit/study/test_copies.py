"""One slide under two names, across patients, splits and sheets."""

from dataclasses import replace

import pytest

from slidecaf.errors import InputErrors
from slidecaf.files.fingerprints import Fingerprints
from slidecaf.study.copies import Copies, find_copies, judge_copies
from slidecaf.study.sheets import Row


@pytest.fixture
def digests(tmp_path):
    return Fingerprints(tmp_path / "memory.json")


@pytest.fixture
def row(tmp_path):
    """Make a row of a slide with some content."""

    def make(number, slide, content, patient="p", split="train", **more):
        (tmp_path / f"{slide}.png").write_bytes(content)
        return Row(number, slide, str(tmp_path / f"{slide}.png"), patient, split, None, None, **more)

    return make


def judge(digests, classification, segmentation=(), on_copies="fail"):
    groups = find_copies([*classification, *segmentation], digests)
    return judge_copies(groups, classification=classification, segmentation=segmentation, on_copies=on_copies)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"patient": "q"}, "another patient"),
        ({"patient": "q", "split": "test"}, "another patient and split"),
        ({"label": "B"}, "another label"),
    ],
)
def test_a_copy_across_patients_splits_or_labels_is_an_error(row, digests, other, what):
    rows = [
        row(2, "a", b"one", label="A"),
        row(3, "b", b"two", label="A"),
        row(4, "c", b"one", **{"label": "A", **other}),
    ]
    found = judge(digests, rows)
    assert found.problems == [
        f"row 4: slide 'c' is a copy of slide 'a' in row 2 and has {what}; take one out, or set on_copies: exclude."
    ]
    assert not found.left_out


def test_a_copy_of_the_same_patient_is_a_warning(row, digests):
    found = judge(digests, [row(2, "a", b"one"), row(3, "b", b"one")])
    assert found.warnings == ["row 3: slide 'b' is a copy of slide 'a' in row 2, of the same patient; it counts twice."]
    assert not found.problems


def test_of_copies_the_test_row_is_left_out_or_else_the_later_one(row, digests):
    rows = [
        row(2, "a", b"one", split="test"),
        row(3, "b", b"one", patient="q"),
        row(4, "c", b"one", patient="r"),
        row(5, "d", b"two"),
    ]
    found = judge(digests, rows, on_copies="exclude")
    assert found.left_out == {"a": "b", "c": "b"}
    assert len(found.warnings) == 2
    assert not found.problems


def test_no_copy_is_left_out_of_the_segmentation(row, digests):
    one, two = row(2, "a", b"one"), row(2, "m", b"one", patient="q")
    found = judge(digests, [one], [two], on_copies="exclude")
    assert found.problems == ["row 2: slide 'm' is a copy of slide 'a' in row 2 and has another patient; take one out."]
    # one slide in both sheets is no copy
    assert not find_copies([one, replace(one, number=7)], digests)


def test_equal_ends_are_no_copy_and_neither_are_two_scenes(row, digests):
    first, second = bytearray(3_000_000), bytearray(3_000_000)
    second[1_500_000] = 1
    assert not find_copies([row(2, "a", first), row(3, "b", second)], digests)
    scene = row(2, "c", b"both", scene="0")
    assert not find_copies([scene, replace(scene, slide="d", scene="1")], digests)
    assert find_copies([scene, replace(scene, slide="d")], digests)


def test_jobs_remember_what_the_plan_found(row, digests, tmp_path):
    rows = [row(2, "a", b"one"), row(3, "b", b"one", patient="q")]
    plan, job = (Copies(digests, tmp_path / "copies.json", look=look) for look in (True, False))
    options = {"on_copies": "exclude", "source": "c.tsv"}
    assert job(rows, [], **options) == {}
    assert plan(rows, [], **options) == {"b": "a"} == job(rows, [], **options)
    assert plan(rows[:1], [], **options) == {} == job(rows[:1], [], **options)
    with pytest.raises(InputErrors, match=r"c.tsv.*\n.*'b' is a copy of slide 'a'"):
        plan(rows, [], on_copies="fail", source="c.tsv")
