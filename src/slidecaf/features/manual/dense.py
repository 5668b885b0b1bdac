"""Dense extraction of manual features: overlapping patches of a slide share their pixels' work.

The slide goes through in blocks of neighbouring patches, each read with all that its patches cover. Where the tiling's
resolution is that of a level, features are those of patchwise extraction, up to the rounding of SIFT's sums; elsewhere
a block is resized as a whole, and not each patch.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from slidecaf.features.extraction.blocks import plan_blocks
from slidecaf.features.extraction.dense import BlockReader, write_blocks
from slidecaf.features.manual.descriptor import describe_densely

BLOCK = 768
"""Px from a block's first patch to the next block's, along a side, unless one stride is more.

With patches of 112 px a block is described in about 80 MiB, and a third of its pixels are read for its neighbours too.
"""


def begin(slide, coords, pipeline, *, patch_size, stride, stride_level0, block=BLOCK, ahead=lambda: None):
    """Begin to compute the manual features of a slide's patches.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0, sorted by y and then x, on a regular grid; some of it may be left out.
    pipeline : slidecaf.features.extraction.pipeline.Pipeline
        On the CPU.
    patch_size, stride : int
        In px of the tiling.
    stride_level0 : float
        The stride in px of level 0. Where it is larger, the slide's best level is read.
    block : int, optional
        Px from one block to the next.
    ahead : callable, optional
        As for `slidecaf.features.extraction.pipeline.Pipeline.run`.

    Returns
    -------
    callable
        What ends it: it takes ``writer``, ``max_unreadable`` and ``advance``, and returns and raises as
        `slidecaf.features.extraction.dense.extract` does.
    """
    grid = np.rint(coords / stride_level0).astype(np.int64)
    blocks = plan_blocks(grid, max(1, block // stride))
    shape = tuple(max((piece.shape[side] for piece in blocks), default=0) for side in (0, 1))
    seen = _Seen(patch_size, stride)
    reader = BlockReader(
        slide, seen, step=1, reach=0, patch_size=patch_size, stride=stride, scale=stride_level0 / stride
    )

    def read(piece):
        region, squares, reason = reader(piece, shape)
        valid = np.ones(len(piece.rows), bool)
        for square in squares:
            valid &= ~reader.meets(piece, square)
        return region, valid, None if valid.all() else reason

    def encode(region, piece):
        first = reader.first * stride
        height, width = ((count - 1) * stride + patch_size for count in piece.shape)
        pixels = region[0, :, first : first + height, first : first + width].permute(1, 2, 0).numpy()
        features = describe_densely(pixels, patch_size, stride)
        return torch.from_numpy(features[piece.grid_y, piece.grid_x]).to(torch.float16)

    running = pipeline.run(read, encode, blocks, ahead=ahead)
    return partial(write_blocks, blocks, running, len(coords))


@dataclass(frozen=True)
class _Seen:
    """What patches that begin in a block see, as `BlockReader` asks it of a network.

    To it a network's map is the grid of the patches: a place a patch, `total_stride` px from one to the next, which
    sees the px from `before` its first px to `after` it.
    """

    input_size: int
    total_stride: int
    before: int = 0
    layer_bytes: int = 0

    @property
    def after(self):
        return self.input_size - 1
