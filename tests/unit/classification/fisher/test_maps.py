"""Maps of membership: places where they belong, and figures against masks."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.fisher.maps import GAP, area_under_curve, draw, read_mask, spread
from slidecaf.errors import SlidecafError


def places(side, size):
    step = size / side
    return np.array([[x * step, y * step, step, step] for y in range(side) for x in range(side)], np.float32)


def test_places_cover_their_part_of_the_image():
    values = np.arange(4.0)
    found = spread(values, places(2, 100), np.ones(4), (100, 100), (10, 10))
    assert found.tolist() == np.kron(values.reshape(2, 2), np.ones((5, 5))).tolist()


def test_scales_are_averaged_and_overlapping_patches_too():
    coarse, fine = places(1, 90), places(3, 90)
    boxes, scales = np.vstack([coarse, fine]), np.array([0.5] + [1] * 9)
    found = spread(np.array([10.0, *range(9)]), boxes, scales, (90, 90), (9, 9))
    np.testing.assert_allclose(found, np.kron((10 + np.arange(9.0).reshape(3, 3)) / 2, np.ones((3, 3))))
    patches = np.array([[0, 0, 60, 90], [30, 0, 60, 90]], np.float32)
    found = spread(np.array([1.0, 3.0]), patches, np.ones(2), (90, 90), (3, 3))
    assert found[0].tolist() == [1, 2, 3]


def test_what_no_place_covers_is_no_number_and_counts_nowhere():
    found = spread(np.array([2.0]), np.array([[0, 0, 50, 100]], np.float32), np.ones(1), (100, 100), (4, 4))
    assert np.isnan(found[:, 2:]).all()
    mask = np.array([[True, False, True, True]] * 4)
    assert area_under_curve(found, mask) == 0.5
    assert area_under_curve(found, np.ones((4, 4), bool)) is None


def test_the_area_is_that_of_pairs_of_pixels():
    generator = np.random.default_rng(0)
    values, mask = generator.normal(size=(5, 6)), generator.random((5, 6)) > 0.5
    pairs = [(a > b) + (a == b) / 2 for a in values[mask] for b in values[~mask]]
    assert area_under_curve(values, mask) == pytest.approx(np.mean(pairs))


def test_a_drawing_has_the_picture_the_memberships_and_what_is_foreground():
    picture = np.full((6, 8, 3), 200, np.uint8)
    values = np.zeros((6, 8))
    values[:, :4] = 3
    values[5] = np.nan
    drawn = np.asarray(draw(picture, values, 1.0))
    assert drawn.shape == (6, 3 * 8 + 2 * GAP, 3)
    original, over, kept = (drawn[:, start : start + 8] for start in (0, 8 + GAP, 2 * (8 + GAP)))
    assert (original == picture).all()
    assert (over[5] == picture[5]).all()
    assert over[0, 0].tolist() != over[0, 7].tolist()
    assert (kept[:5, :4] == 200).all()
    assert (kept[:, 4:] > 240).all()


def test_a_mask_of_another_size_or_none_is_an_error(tmp_path):
    Image.fromarray(np.full((20, 40), 7, np.uint8)).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png", (40, 20), (5, 10)).all()
    with pytest.raises(
        SlidecafError, match=r"mask.png: the mask has 40 x 20 px and its image 20 x 40; make them equal"
    ):
        read_mask(tmp_path / "mask.png", (20, 40), (10, 5))
    (tmp_path / "mask.png").write_text("no picture")
    with pytest.raises(SlidecafError, match="the mask cannot be read"):
        read_mask(tmp_path / "mask.png", (40, 20), (5, 10))
