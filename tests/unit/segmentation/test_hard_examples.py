"""Hard examples against counting pixels."""

import numpy as np
import pytest

from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.hard_examples import draw, hard_patches
from slidecaf.segmentation.labels import count_masks


@pytest.mark.parametrize("seed", range(5))
def test_a_patch_is_hard_where_more_than_half_its_pixels_are_missed_or_false(seed):
    rng = np.random.default_rng(seed)
    width, height, size = 45, 38, 12
    coords = np.array([(x, y) for y in range(0, height, 6) for x in range(0, width, 6)])
    cells = Cells.of_patches(coords, size, width, height)

    def blobs(share):
        return np.kron(rng.random((5, 5)) < share, np.ones((10, 10), bool))[:height, :width]

    necrosis, hemorrhage, predicted = blobs(0.5), blobs(0.3), rng.random(cells.shape) < 0.5
    predicted[:4, :4] = False
    truth = count_masks(cells, [necrosis], [hemorrhage])
    found = hard_patches(truth, predicted, coords, size)
    pixels = cells.expand(predicted, 0, height)
    for kind, region in (("missed", necrosis & ~hemorrhage & ~pixels), ("false", pixels & ~necrosis)):
        expected = [k for k, (x, y) in enumerate(coords) if region[y : y + size, x : x + size].mean() > 0.5]
        assert found[kind].tolist() == expected


def test_as_many_are_drawn_as_their_copies_may_add():
    rows = list(range(100))
    drawn = draw(rows, training_rows=60, copies=2, max_share=0.5, seed=3)
    assert len(drawn) == 15
    assert drawn == sorted(set(drawn))
    assert drawn == draw(rows, training_rows=60, copies=2, max_share=0.5, seed=3)
    assert drawn != draw(rows, training_rows=60, copies=2, max_share=0.5, seed=4)
    assert draw(rows[:15], training_rows=60, copies=2, max_share=0.5, seed=3) == rows[:15]
    assert draw([], training_rows=60, copies=1, max_share=0.5, seed=0) == []
