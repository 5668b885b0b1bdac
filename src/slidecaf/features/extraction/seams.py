"""What blocks of a dense extraction hand to later ones, while both are under way."""

from collections import Counter
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock

import torch


class Handed:
    """A value of each block, kept until the last block that needs it has taken it.

    Workers start blocks in order, so that one that waits for an earlier block waits for work under way.

    Parameters
    ----------
    blocks : sequence of slidecaf.features.extraction.blocks.Block
    needed : callable, optional
        A block and one that it needs to whether it needs this value; all do by default.
    """

    def __init__(self, blocks, needed=lambda block, other: True):
        uses = (other for block in blocks for other in block.needs if needed(block, other))
        self._uses, self._lock = Counter(uses), Lock()
        self._values = {block: Future() for block in self._uses}

    def give(self, block, make):
        """Make a block's value and hand it over, if any block needs it."""
        if block in self._values:
            self._values[block].set_result(make())

    @contextmanager
    def failing(self, block):
        """On an error let those fail too that wait for this block, or will."""
        try:
            yield
        except BaseException as error:
            value = self._values.get(block)
            if value is not None and not value.done():
                value.set_exception(error)
            raise

    def take(self, block):
        """Wait for what an earlier block hands over; its error is raised here too."""
        value = self._values[block].result()
        with self._lock:
            self._uses[block] -= 1
            if not self._uses[block]:
                del self._values[block]
        return value


def _in_the_same_row(block, other):
    return block.top == other.top


def _in_earlier_rows(block, other):
    return block.top != other.top


class Seams:
    """Puts the map of a block together with those parts of earlier ones that its patches cover.

    Of a block only its last rows and columns are kept, as far as a patch reaches: of the slide, so much of a row of
    blocks.

    Parameters
    ----------
    blocks : sequence of slidecaf.features.extraction.blocks.Block
    reach : int
        The further cells that a patch covers.
    step : int
        Places of the map to a cell, along one side.
    """

    def __init__(self, blocks, reach, step):
        self._reach, self._step = reach, step
        # apart, since the columns are done with as soon as the next block is
        self._below, self._right = Handed(blocks, _in_earlier_rows), Handed(blocks, _in_the_same_row)

    @contextmanager
    def failing(self, block):
        """On an error let those fail too that wait for this block's map."""
        with self._below.failing(block), self._right.failing(block):
            yield

    def join(self, block, places):
        """Hand a block's map to later blocks, and return it with what lies before it.

        Parameters
        ----------
        block : slidecaf.features.extraction.blocks.Block
        places : torch.Tensor, shape (1, K, rows, columns)

        Returns
        -------
        torch.Tensor or None
            The map from `reach` cells to the left of the block and above it, as far as the slide goes, to the block's
            end; zero where no patch of the block is. None where the block has no patches.
        """
        kept = self._reach * self._step  # where this is 0 no block needs another
        for handed, part in ((self._below, places[:, :, -kept:]), (self._right, places[:, :, :, -kept:])):
            handed.give(block, lambda part=part: part.clone(memory_format=torch.channels_last))
        if not len(block.rows):
            return None
        left, top = (max(0, start - self._reach) for start in (block.left, block.top))
        rows, columns = (
            (start + size - first) * self._step
            for start, size, first in zip((block.top, block.left), block.shape, (top, left), strict=True)
        )
        if (rows, columns) == places.shape[2:]:
            return places
        joined = places.new_zeros((1, rows, columns, places.shape[1])).permute(0, 3, 1, 2)

        def put(part, part_left, part_top):
            """Copy a part, whose corner is given in places from that of `joined`."""
            x, y = max(0, part_left), max(0, part_top)
            part = part[:, :, y - part_top : rows - part_top, x - part_left : columns - part_left]
            joined[:, :, y : y + part.shape[2], x : x + part.shape[3]] = part

        for other in block.needs:
            part = (self._right if _in_the_same_row(block, other) else self._below).take(other)
            end_x, end_y = other.left + other.shape[1] - left, other.top + other.shape[0] - top
            put(part, end_x * self._step - part.shape[3], end_y * self._step - part.shape[2])
        put(places, (block.left - left) * self._step, (block.top - top) * self._step)
        return joined
