"""Dealing slides into batches: stable, bounded, training and test rows apart."""

from hypothesis import given
from hypothesis import strategies as st

from slidecaf.study.batches import deal, deal_apart, deal_shards, shard_of

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


@given(SLIDES, SIZES, st.text("xyz", min_size=1))
def test_a_further_image_changes_its_own_shard_only(slides, shards, further):
    before, after = deal_shards(slides, shards), deal_shards({*slides, further}, shards)
    assert sorted(slide for shard in before.values() for slide in shard) == sorted(slides)
    assert all(shard == sorted(shard) and shard for shard in before.values())
    mine = shard_of(further, shards)
    assert 0 <= mine < shards
    assert after == {**before, mine: sorted([*before.get(mine, []), further])}
    assert list(after) == sorted(after)


@given(SLIDES, SIZES)
def test_shards_do_not_depend_on_the_order_of_images(slides, shards):
    assert deal_shards(sorted(slides), shards) == deal_shards(sorted(slides, reverse=True), shards)


def test_the_dealing_into_shards_stays_what_it_is():
    # another one would move every image of every study
    assert deal_shards([f"image-{k}" for k in range(6)], 3) == {
        0: ["image-0", "image-2", "image-3", "image-4"],
        2: ["image-1", "image-5"],
    }
