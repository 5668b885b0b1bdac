"""Patchwise extraction: each patch goes through the network on its own.

Patches are taken in small rectangles of neighbours, a batch each: the rectangle is read once, so that overlaps
are not decoded twice. Worker threads take batches side by side. On a CPU a worker also runs the network, on one
core: no core waits for another, and a batch's features do not depend on how many workers there are. On a GPU the
workers read and resize, and a thread of its own keeps the GPU busy.

`extract` does a slide from its first patch to its last. `begin` gives the workers of a job a slide's first patches, so
that they have work while the slide before is written to its end.
"""

from contextlib import closing
from math import isqrt

import numpy as np
import torch
from torch.nn import functional

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.pipeline import Pipeline, too_many_unreadable
from slidecaf.features.outputs import side_by_side
from slidecaf.logs import logger

REGION_PIXELS = 2**24
"""The largest region read at once, unless a single patch is larger: 48 MiB of RGB."""

BAND_PATCHES = 2**14
"""Patches whose features are held back at most, so that they reach the file in order: 128 MiB at 4,096 values."""


def extract(
    slide,
    coords,
    encoder,
    writer,
    *,
    patch_size,
    patch_size_level0,
    batch_size,
    threads,
    max_unreadable,
    advance,
):
    """Compute the features of a slide's patches and write them in order.

    Memory is bounded whatever the number of patches is: some regions, some batches and one band of features.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0, sorted by y and then x.
    encoder : slidecaf.features.networks.encoder.Encoder
    writer : slidecaf.features.file.FeatureWriter
    patch_size : int
        The side of a patch in px at the tiling's resolution.
    patch_size_level0 : int
        The same in px of level 0. Where it is larger, the slide's best level is read.
    batch_size : int
        Patches that go through the network together.
    threads : int
        Worker threads. Features do not depend on it.
    max_unreadable : float
        The share, 0 to 1, of patches that may be unreadable.
    advance : callable
        Called with the number of patches just done.

    Returns
    -------
    int
        The patches that could not be read; their rows are zero and not valid.

    Raises
    ------
    SlideError
        If more than `max_unreadable` of the patches cannot be read.
    SlidecafError
        If features are not numbers, or too large for 16 bit.
    """
    sizes = {"patch_size": patch_size, "patch_size_level0": patch_size_level0, "batch_size": batch_size}
    with Pipeline(threads, encoder.device) as pipeline:
        write = begin(slide, coords, encoder, pipeline, **sizes)
        return write(writer, max_unreadable=max_unreadable, advance=advance)


def begin(slide, coords, encoder, pipeline, *, patch_size, patch_size_level0, batch_size, ahead=lambda: None):
    """Begin to compute the features of a slide's patches.

    Parameters
    ----------
    slide, coords, encoder, patch_size, patch_size_level0, batch_size
        As for `extract`.
    pipeline : slidecaf.features.extraction.pipeline.Pipeline
    ahead : callable, optional
        As for `slidecaf.features.extraction.pipeline.Pipeline.run`.

    Returns
    -------
    callable
        What ends it: it takes ``writer``, ``max_unreadable`` and ``advance``, and returns and raises as `extract` does.
    """
    reader = PatchReader(
        slide,
        patch_size=patch_size,
        patch_size_level0=patch_size_level0,
        input_size=encoder.input_size,
        pin=encoder.device.type == "cuda",
    )
    bands = plan_bands(coords, patch_size_level0, batch_size)
    batches = [coords[rows] for band in bands for rows in band]
    running = pipeline.run(reader, Encode(encoder, batch_size), batches, ahead=ahead)

    def write(writer, *, max_unreadable, advance):
        unreadable, start = 0, 0
        with closing(running) as results:
            for band in bands:
                count = sum(map(len, band))
                features, valid = None, np.zeros(count, bool)
                for rows in band:
                    own, valid[rows - start], reason = next(results)
                    if features is None:
                        features = np.zeros((count, own.shape[1]), own.dtype)
                    features[rows - start] = own
                    unreadable += len(rows) - int(valid[rows - start].sum())
                    if unreadable > max_unreadable * len(coords):
                        raise too_many_unreadable(reason, max_unreadable, len(coords))
                    advance(len(rows))
                writer.append(features, valid)
                start += count
        return unreadable

    return write


def plan_bands(coords, patch_size, batch_size):
    """Split patches into bands of grid rows, and each band into batches of neighbours.

    Parameters
    ----------
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0, sorted by y and then x.
    patch_size : int
        In px of level 0.
    batch_size : int

    Returns
    -------
    list of list of ndarray of int64
        For each band its batches, as row numbers of `coords`; a band's rows follow on the band's before.
    """
    if not len(coords):
        return []
    grid_rows, first, counts = np.unique(coords[:, 1], return_index=True, return_counts=True)
    step = int(np.diff(grid_rows).min()) if len(grid_rows) > 1 else patch_size
    by_pixels = (isqrt(REGION_PIXELS) - patch_size) // step + 1
    height = max(1, min(isqrt(batch_size), by_pixels, BAND_PATCHES // int(counts.max())))
    bands = []
    for top in range(0, len(grid_rows), height):
        end = first[top + height] if top + height < len(first) else len(coords)
        rows = np.arange(first[top], end)
        rows = rows[np.lexsort((coords[rows, 1], coords[rows, 0]))]  # by column: a batch is about square
        bands.append([rows[i : i + batch_size] for i in range(0, len(rows), batch_size)])
    return bands


class PatchReader:
    """Reads patches of a slide and resizes them to what the network sees.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    patch_size, patch_size_level0 : int
        The side of a patch in px at the tiling's resolution and at level 0.
    input_size : int
        The side of what the network sees, in px.
    pin : bool, optional
        Whether to return page-locked memory, from which a GPU copies while it computes.
    """

    def __init__(self, slide, *, patch_size, patch_size_level0, input_size, pin=False):
        self._slide, self._input_size, self._pin = slide, input_size, pin
        self._level = slide.best_level(patch_size_level0 / patch_size)
        self._downsample = slide.levels[self._level].downsample
        self._size = max(1, round(patch_size_level0 / self._downsample))

    def __call__(self, coords):
        """Read some patches, neighbours together.

        Parameters
        ----------
        coords : ndarray of int64, shape (n, 2)
            x and y at level 0, sorted by x.

        Returns
        -------
        patches : torch.Tensor of uint8, shape (n, 3, input_size, input_size)
            RGB, channels last in memory; zero where a patch cannot be read.
        valid : ndarray of bool, shape (n,)
        reason : str or None
            Why a patch could not be read.
        """
        size = self._input_size
        patches = torch.zeros((len(coords), size, size, 3), dtype=torch.uint8, pin_memory=self._pin)
        patches = patches.permute(0, 3, 1, 2)
        valid, reason = np.ones(len(coords), bool), None
        corners = np.rint(coords / self._downsample).astype(np.int64)
        for near in self._runs(corners):
            try:
                self._read(corners[near], patches[near])
            except SlideError:
                # part of the region is damaged: find out which patches can be had one by one
                for i in range(near.start, near.stop):
                    try:
                        self._read(corners[i : i + 1], patches[i : i + 1])
                    except SlideError as error:
                        valid[i], reason = False, str(error)
        return patches, valid, reason

    def _runs(self, corners):
        """Split patches sorted by x where a gap makes one region a waste, or where it gets too large."""
        start = 0
        for i in range(1, len(corners) + 1):
            if i < len(corners):
                gap = corners[i, 0] - corners[i - 1, 0] > self._size
                left, top = corners[start, 0], corners[start : i + 1, 1].min()
                width = corners[i, 0] + self._size - left
                height = corners[start : i + 1, 1].max() + self._size - top
            if i == len(corners) or gap or width * height > REGION_PIXELS:
                yield slice(start, i)
                start = i

    def _read(self, corners, out):
        left, top = corners.min(0)
        right, bottom = corners.max(0) + self._size
        region = self._slide.read_padded(int(left), int(top), int(right - left), int(bottom - top), self._level)
        region = torch.from_numpy(region).permute(2, 0, 1)[None]
        for i, (x, y) in enumerate(corners - (left, top)):
            patch = region[:, :, y : y + self._size, x : x + self._size]
            out[i] = resize(patch, self._input_size)[0]


def resize(patches, size):
    """Resize patches with antialiasing, as torchvision does on 8-bit tensors.

    Parameters
    ----------
    patches : torch.Tensor of uint8, shape (n, 3, h, w)
    size : int
        The side of the result in px.

    Returns
    -------
    torch.Tensor of uint8, shape (n, 3, size, size)
    """
    return resize_to(patches, size, size)


def resize_to(patches, height, width):
    """Resize images with antialiasing, as `resize`, to any height and width in px.

    Parameters
    ----------
    patches : torch.Tensor of uint8, shape (n, 3, h, w)
    height, width : int

    Returns
    -------
    torch.Tensor of uint8, shape (n, 3, height, width)
    """
    if patches.shape[2:] == (height, width):
        return patches
    return functional.interpolate(patches, (height, width), mode="bilinear", align_corners=False, antialias=True)


class Encode:
    """Runs the network; where it runs out of memory, goes on with half the batch.

    A network that is compiled is given whole batches only, filled up with zeros: each other number of patches would be
    compiled anew.

    Parameters
    ----------
    encoder : slidecaf.features.networks.encoder.Encoder
    batch_size : int
        Patches that come at most.
    """

    def __init__(self, encoder, batch_size):
        self._encoder, self._limit = encoder, batch_size

    def __call__(self, patches, piece):
        """Compute features, as `slidecaf.features.extraction.pipeline.Pipeline.run` asks for them.

        Parameters
        ----------
        patches : torch.Tensor of uint8, shape (n, 3, input_size, input_size)
        piece : object
            What the patches are of; it is not looked at.

        Returns
        -------
        torch.Tensor of float16, shape (n, D)

        Raises
        ------
        SlidecafError
            If the GPU's memory does not hold the network and one patch.
        """
        while True:
            limit = self._limit if self._encoder.compiles else min(self._limit, len(patches))
            try:
                return torch.cat([self._features(part, limit) for part in patches.split(limit)])
            except torch.OutOfMemoryError as error:
                if limit == 1:
                    raise SlidecafError(
                        "the GPU's memory does not hold the network and one patch; take a smaller model or input_size."
                    ) from error
                self._limit = limit // 2
            torch.cuda.empty_cache()
            logger.warning("out of GPU memory: going on with %d patches a batch", self._limit)

    def _features(self, patches, count):
        given = patches
        if self._encoder.compiles and len(patches) < count:
            given = torch.cat([patches, patches.new_zeros((count - len(patches), *patches.shape[1:]))])
        return side_by_side(self._encoder(given)).to(torch.float16)[: len(patches)]
