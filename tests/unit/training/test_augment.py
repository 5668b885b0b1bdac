"""What an epoch sees of an image: drawn by a seed, and within the settings."""

import pytest
import torch

from slidecaf.study.config import NO_AUGMENTATION, Augment
from slidecaf.training.augment import augmented, plain, seed_of

FILL = [124.0, 116.0, 104.0]


@pytest.fixture
def image():
    return torch.randint(0, 255, (3, 40, 40), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def only(**changed):
    return NO_AUGMENTATION.model_copy(update=changed)


def test_the_same_seed_draws_the_same_and_another_one_another(image):
    first = augmented(image, 32, Augment(), FILL, 7)
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8
    torch.rand(5)  # the global generator has no part in it
    assert torch.equal(first, augmented(image, 32, Augment(), FILL, 7))
    assert not torch.equal(first, augmented(image, 32, Augment(), FILL, 8))


def test_without_augmentation_an_image_is_as_it_is_judged(image):
    assert torch.equal(augmented(image, 32, NO_AUGMENTATION, FILL, 3), plain(image[None], 32)[0])


def test_flips_are_those_of_the_axes_and_happen_in_half_the_cases(image):
    whole = plain(image[None], 32)[0]
    drawn = [augmented(image, 32, only(flip="horizontal"), FILL, seed) for seed in range(60)]
    mirrored = [torch.equal(one, whole.flip(2)) for one in drawn]
    assert all(one or torch.equal(drawn[k], whole) for k, one in enumerate(mirrored))
    assert 15 < sum(mirrored) < 45
    both = {tuple(augmented(image, 32, only(flip="both"), FILL, seed).flatten().tolist()) for seed in range(40)}
    wanted = [whole, whole.flip(2), whole.flip(1), whole.flip(1, 2)]
    assert both == {tuple(one.flatten().tolist()) for one in wanted}


def test_quarter_turns_are_the_four(image):
    whole = plain(image[None], 32)[0]
    drawn = {tuple(augmented(image, 32, only(quarter_turns=True), FILL, seed).flatten().tolist()) for seed in range(40)}
    assert drawn == {tuple(torch.rot90(whole, k, (1, 2)).flatten().tolist()) for k in range(4)}


def test_a_crop_is_a_part_of_the_image_no_smaller_than_the_share():
    ramp = torch.arange(40, dtype=torch.uint8)[None, None, :].expand(3, 40, 40) * 6
    for seed in range(30):
        seen = augmented(ramp, 32, only(crop=0.5), FILL, seed)[0, 16].float()
        width = (seen[-2] - seen[1]).item() / 6 / 29 * 32  # px of the image between two that resizing does not blur
        assert 40 * 0.5**0.5 - 1.5 < width < 41.5


def test_what_a_moved_image_leaves_is_filled(image):
    white = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    moved = [augmented(white, 32, only(translate=0.3), FILL, seed) for seed in range(20)]
    colours = {tuple(one[:, y, x].tolist()) for one in moved for y in (0, 31) for x in (0, 31)}
    assert (124, 116, 104) in colours
    assert all(one[0, 15, 15] == 255 for one in moved)


def test_a_seed_depends_on_each_of_its_parts_and_where_they_end():
    parts = [
        (0, "final", 1, "a"),
        (1, "final", 1, "a"),
        (0, "fold-0", 1, "a"),
        (0, "final", 2, "a"),
        (0, "final", 1, "b"),
    ]
    assert len({seed_of(*one) for one in [*parts, (0, "final", "1a"), (0, "finala", 1)]}) == 7
    assert all(0 <= seed_of(*one) < 2**63 for one in parts)
