"""Blocks cover the cells of all patches, and know which earlier ones they need."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.features.extraction.blocks import plan_blocks

PLACES = st.sets(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=60)


def cells_of(block):
    rows, columns = block.shape
    return {(block.left + x, block.top + y) for x in range(columns) for y in range(rows)}


@given(PLACES, st.integers(1, 30), st.integers(1, 30), st.integers(0, 12))
@settings(max_examples=100)
def test_each_patch_is_in_the_block_of_its_last_cell_and_the_others_are_in_those_it_needs(places, side, width, reach):
    grid = np.array(sorted(places, key=lambda p: (p[1], p[0])), np.int64)
    blocks = plan_blocks(grid, side, width, reach)
    np.testing.assert_array_equal(np.sort(np.concatenate([b.rows for b in blocks])), np.arange(len(grid)))
    covered = [cells_of(block) for block in blocks]
    assert sum(map(len, covered)) == len(set().union(*covered))
    used = set()
    for k, block in enumerate(blocks):
        assert all(other in blocks[:k] for other in block.needs)
        assert block.shape[0] <= side
        assert block.shape[1] <= width
        before = set().union(*(cells_of(other) for other in block.needs))
        needed = set()
        for row, x, y in zip(block.rows.tolist(), block.grid_x.tolist(), block.grid_y.tolist(), strict=True):
            first_x, first_y = grid[row].tolist()
            assert (block.left + x, block.top + y) == (first_x + reach, first_y + reach)
            assert (first_x + reach, first_y + reach) in covered[k]
            needed |= {(first_x + i, first_y + j) for i in range(reach + 1) for j in range(reach + 1)}
        assert needed <= before | covered[k]
        for other in block.needs:
            assert needed & cells_of(other)
        used |= needed
    assert all(cells & used for cells in covered)  # none that no patch has a cell of
