"""Dealing slides into batches: stable, bounded, training and test rows apart."""

from hypothesis import given
from hypothesis import strategies as st

from slidecaf.study.batches import deal, deal_apart

SLIDES = st.sets(st.text("abc123", min_size=1, max_size=6), max_size=60)
SIZES = st.integers(1, 20)


@given(SLIDES, SIZES)
def test_every_slide_is_in_one_batch_and_no_batch_is_empty_or_too_large(slides, size):
    batches = deal(slides, size)
    assert sorted(slide for batch in batches.values() for slide in batch) == sorted(slides)
    assert all(1 <= len(batch) <= size for batch in batches.values())


@given(SLIDES, SIZES)
def test_the_order_of_slides_does_not_matter(slides, size):
    assert deal(sorted(slides), size) == deal(sorted(slides, reverse=True), size)


@given(SLIDES, SIZES, st.text("xyz", min_size=1))
def test_a_further_slide_changes_its_own_batch_only(slides, size, further):
    before, after = deal(slides, size), deal({*slides, further}, size)
    (mine,) = (batch for batch in after.values() if further in batch)
    changed = [batch for number, batch in before.items() if after.get(number) != batch]
    assert len(changed) <= 1
    if changed and len(changed[0]) < size:
        assert sorted({*changed[0], further}) == mine


def test_as_many_as_fit_share_a_batch():
    assert deal(["b", "a"], 2) == {1: ["a", "b"]}
    assert deal([], 2) == {}


@given(SLIDES, SLIDES, SIZES)
def test_a_test_slide_never_shares_a_batch_with_a_training_slide(training, others, size):
    batches = deal_apart(training, others, size)
    assert sorted(slide for batch in batches.values() for slide in batch) == sorted(training | others)
    assert all(not {*batch} & training or {*batch} <= training for batch in batches.values())
    alone = deal_apart(training, (), size)
    assert {number: batch for number, batch in batches.items() if batch[0] in training} == alone
