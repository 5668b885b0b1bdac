"""Dense extraction: the network runs once over an enlarged slide, and overlapping patches share its work.

Features differ from those of patchwise extraction by what lies around a patch: there zeros pad each patch at its
border, here the network sees the slide's own pixels. The slide goes through in blocks, each with as much context as
the network sees, so that blocks and the whole slide agree.
"""

from contextlib import closing
from functools import lru_cache, partial
from itertools import chain
from math import ceil

import numpy as np
import torch

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.blocks import plan_blocks
from slidecaf.features.extraction.patchwise import resize_to
from slidecaf.features.extraction.pipeline import Pipeline, too_many_unreadable
from slidecaf.features.extraction.seams import Handed, Seams
from slidecaf.features.networks.dense import DenseEncoder

BLOCK, WIDEST = 96, 128
"""Places of the network's map along a block's side, at most, and along a row where memory allows. Blocks depend on the
network, not on the number of threads."""

LAYER_BYTES = 3 * 2**28
"""Bytes that a layer's output for one block may take, unless a block of `BLOCK` places a side takes more."""

LAYERS = 8
"""Of the largest layer's outputs, what a block takes of a GPU: its own and the one before, what a convolution works
with, and as much of the block that was launched before."""

NARROWEST = 8
"""Places of the map along a block's side, at least: below, a block is little else than its context."""

RETRY = 256
"""Px of the squares in which a damaged region is read again."""


def extract(
    slide,
    coords,
    encoder,
    writer,
    *,
    patch_size,
    stride,
    stride_level0,
    threads,
    max_unreadable,
    advance,
    block=None,
):
    """Compute the features of a slide's patches and write them.

    Memory is bounded whatever the number of patches is: some blocks, and of the map a strip as high as a patch and as
    wide as the slide.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0, sorted by y and then x, on a regular grid; some of it may be left out.
    encoder : slidecaf.features.networks.encoder.Encoder
    writer : slidecaf.features.file.FeatureWriter
    patch_size, stride : int
        In px of the tiling.
    stride_level0 : float
        The stride in px of level 0. Where it is larger, the slide's best level is read, and the corners of blocks are
        rounded to its px.
    threads : int
        Worker threads. Features do not depend on it.
    max_unreadable : float
        The share, 0 to 1, of patches that may be unreadable.
    advance : callable
        Called with the number of patches just done.
    block : int, optional
        Places of the map along a block's side; as many as are worth while by default.

    Returns
    -------
    int
        The patches that could not be read; their rows are zero and not valid.

    Raises
    ------
    SlideError
        If more than `max_unreadable` of the patches cannot be read.
    SlidecafError
        If the network cannot be run densely at this stride, or features are not numbers or too large for 16 bit.
    """
    sizes = {"patch_size": patch_size, "stride": stride, "stride_level0": stride_level0, "block": block}
    with Pipeline(threads, encoder.device) as pipeline:
        write = begin(slide, coords, encoder, pipeline, **sizes)
        return write(writer, max_unreadable=max_unreadable, advance=advance)


def layer_bytes(free) -> int:
    """Return the bytes that a layer's output for one block may take on a GPU.

    Parameters
    ----------
    free : int
        Bytes of its memory.

    Returns
    -------
    int
        `LAYER_BYTES`, or what a small GPU has room for.
    """
    return min(LAYER_BYTES, free // LAYERS)


def begin(
    slide,
    coords,
    encoder,
    pipeline,
    *,
    patch_size,
    stride,
    stride_level0,
    block=None,
    layer_bytes=LAYER_BYTES,
    ahead=lambda: None,
):
    """Begin to compute the features of a slide's patches.

    Parameters
    ----------
    slide, coords, encoder, patch_size, stride, stride_level0, block
        As for `extract`.
    pipeline : slidecaf.features.extraction.pipeline.Pipeline
    layer_bytes : int, optional
        As `layer_bytes` gives them: below `LAYER_BYTES`, blocks are smaller.
    ahead : callable, optional
        As for `slidecaf.features.extraction.pipeline.Pipeline.run`.

    Returns
    -------
    callable
        What ends it: it takes ``writer``, ``max_unreadable`` and ``advance``, and returns and raises as `extract` does.

    Raises
    ------
    SlidecafError
        If the network cannot be run densely at this stride.
    """
    dense = _made_dense(encoder)
    step = dense.check_stride(patch_size, stride)
    reach = ceil(dense.span / step) - 1
    reader = BlockReader(
        slide, dense, step=step, reach=reach, patch_size=patch_size, stride=stride, scale=stride_level0 / stride
    )
    height, width = (block, block) if block else reader.sides(layer_bytes)
    grid = np.rint(coords / stride_level0).astype(np.int64)
    blocks = plan_blocks(grid, max(1, height // step), max(1, width // step), reach)
    shape = tuple(max((block.shape[side] for block in blocks), default=0) for side in (0, 1))
    damaged, seams = Handed(blocks), Seams(blocks, reach, step)

    def read(own):
        with damaged.failing(own), seams.failing(own):
            region, *own_damage = reader(own, shape)
            damaged.give(own, lambda: own_damage)
            damage = [own_damage, *map(damaged.take, own.needs)]
            valid = np.ones(len(own.rows), bool)
            for square in chain.from_iterable(squares for squares, _ in damage):
                valid &= ~reader.meets(own, square)
            reason = next((why for _, why in damage if why), None)
            return region, valid, None if valid.all() else reason

    def encode(region, own):
        rows, columns = (count * step for count in own.shape)
        with seams.failing(own):
            try:
                joined = seams.join(own, dense.places(region, first=reader.first, rows=rows, columns=columns))
                if joined is None:
                    return torch.empty(0, encoder.dimension, dtype=torch.float16, device=encoder.device)
                features = dense.pool(joined, step=step)
            except torch.OutOfMemoryError as error:
                raise SlidecafError(
                    "the GPU's memory does not hold the network and one block of a dense extraction; take a smaller "
                    "model, or extraction: patchwise."
                ) from error
        before = [min(reach, start) - reach for start in (own.top, own.left)]
        return features[own.grid_y + before[0], own.grid_x + before[1]].to(torch.float16)

    running = pipeline.run(read, encode, blocks, ahead=ahead)
    return partial(write_blocks, blocks, running, len(coords))


def write_blocks(blocks, running, count, writer, *, max_unreadable, advance):
    """Write the features of blocks as they come.

    Parameters
    ----------
    blocks : sequence of slidecaf.features.extraction.blocks.Block
    running : generator
        Of `slidecaf.features.extraction.pipeline.Pipeline.run`, a block after the other.
    count : int
        The slide's patches.
    writer, max_unreadable, advance
        As for `extract`.

    Returns
    -------
    int
        The patches that could not be read.

    Raises
    ------
    SlideError
        If more than `max_unreadable` of the patches cannot be read.
    """
    unreadable = 0
    with closing(running) as results:
        for piece, (features, valid, reason) in zip(blocks, results, strict=True):
            unreadable += len(valid) - int(valid.sum())
            if unreadable > max_unreadable * count:
                raise too_many_unreadable(reason, max_unreadable, count)
            # patches of one grid row follow on one another in the file
            for own in np.split(np.arange(len(valid)), np.flatnonzero(np.diff(piece.rows) != 1) + 1):
                if len(own):
                    writer.write(int(piece.rows[own[0]]), features[own], valid[own])
            advance(len(valid))
    return unreadable


@lru_cache(maxsize=1)
def _made_dense(encoder):
    """Look at a network once for all slides of a job: of VGG-16 that takes seconds."""
    return DenseEncoder(encoder)


class BlockReader:
    """Reads blocks of a slide with their context and enlarges them to what the network sees.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    dense : slidecaf.features.networks.dense.DenseEncoder
    step : int
        Places of the map to a cell, along one side.
    reach : int
        The further cells that a patch covers.
    patch_size, stride : int
        In px of the tiling.
    scale : float
        Px of level 0 for one of the tiling.

    Attributes
    ----------
    first : int
        The place of the map at which a block begins.
    """

    def __init__(self, slide, dense, *, step, reach, patch_size, stride, scale):
        self._slide, self._patch_size, self._stride, self._step = slide, patch_size, stride, step
        self._layer_bytes, self._total_stride, self._reach = dense.layer_bytes, dense.total_stride, reach
        self._level = slide.best_level(scale)
        self._scale = scale / slide.levels[self._level].downsample
        self._factor = dense.input_size / patch_size
        enlarged = step * dense.total_stride  # px of a cell, enlarged
        # The resize itself looks some px around, beyond which a region's own border would be seen.
        margin = 2 * ceil(max(1, self._factor / self._scale)) + 2
        self._before = ceil((dense.before + margin) / enlarged)  # in cells, so that the map's places stay in step
        self._after = max(0, ceil((dense.after + 1 - dense.total_stride + margin) / enlarged))
        self.first = self._before * step

    def sides(self, most):
        """Return how many places a block has down and along a row, which may be longer: it has less context then.

        Parameters
        ----------
        most : int
            Bytes of the largest layer's output.

        Returns
        -------
        rows, columns : int
        """
        context = (self._before + self._after) * self._step
        per_place = self._layer_bytes * self._total_stride**2
        rows = BLOCK
        while most < LAYER_BYTES and rows > NARROWEST and per_place * (rows + context) ** 2 > most:
            rows = max(NARROWEST, rows // 2)
        columns = int(most / (per_place * (rows + context))) - context
        return rows, min(max(columns, rows), WIDEST)

    def __call__(self, block, shape):
        """Read a block.

        Parameters
        ----------
        block : slidecaf.features.extraction.blocks.Block
        shape : (int, int)
            Rows and columns of cells to read, at least the block's: where all regions measure the same, memory that
            one has freed fits the next.

        Returns
        -------
        region : torch.Tensor of uint8, shape (1, 3, h, w)
            Enlarged; white where it cannot be read.
        squares : list of (int, int, int, int)
            What cannot be read, for `meets`.
        reason : str or None
            Why.
        """
        starts = np.array([block.left, block.top]) - self._before
        counts = np.array(shape[::-1]) + self._before + self._after
        left, top = np.rint(starts * self._stride * self._scale).astype(int).tolist()
        right, bottom = np.rint((starts + counts) * self._stride * self._scale).astype(int).tolist()
        squares, reason = [], None
        try:
            pixels = self._slide.read_padded(left, top, right - left, bottom - top, self._level)
        except SlideError:
            pixels, squares, reason = self._read_squares(left, top, right, bottom)
        region = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        width, height = (round(count * self._stride * self._factor) for count in counts.tolist())
        return resize_to(region, height, width), squares, reason

    def _read_squares(self, left, top, right, bottom):
        """Return the pixels, those squares white that cannot be read, these squares, and why."""
        pixels, squares, reason = np.full((bottom - top, right - left, 3), 255, np.uint8), [], None
        for y in range(top, bottom, RETRY):
            for x in range(left, right, RETRY):
                width, height = min(RETRY, right - x), min(RETRY, bottom - y)
                try:
                    part = self._slide.read_padded(x, y, width, height, self._level)
                    pixels[y - top : y - top + height, x - left : x - left + width] = part
                except SlideError as error:
                    squares.append((x, y, x + width, y + height))
                    reason = str(error)
        return pixels, squares, reason

    def meets(self, block, square):
        """Tell which of a block's patches have pixels in a square of the level: left, top, right and bottom."""
        left, top, right, bottom = square
        x = (block.left + block.grid_x - self._reach) * self._stride * self._scale
        y = (block.top + block.grid_y - self._reach) * self._stride * self._scale
        size = self._patch_size * self._scale
        return (x < right) & (x + size > left) & (y < bottom) & (y + size > top)
