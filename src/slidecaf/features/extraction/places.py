"""Images through a network at several scales: every place of the map of its last layer is a vector of length 1.

At scale 1 an image is as large as the network's input, and as many times as large as the scale says: memory depends on
the config and on no image. With ``fit: pad`` an image keeps its shape and nothing is filled up, since a map may have
any shape. Scales at which a side is below `LEAST` px are left out.
"""

from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.patchwise import resize_to
from slidecaf.tiles.whole import fitted, read_whole

LEAST = 32
"""Px of the shorter side of an image below which a network has nothing to see."""


@dataclass(eq=False)
class _Piece:
    """An image under way: what was read of it, and the maps that the network gave."""

    source: object
    seen: object = None
    maps: list = field(default_factory=list)


def sizes(width, height, input_size, scales, fit):
    """Return the sizes at which the network sees an image.

    Parameters
    ----------
    width, height : int
        Of the image, in px; only their ratio counts.
    input_size : int
        Px of the longer side at scale 1.
    scales : sequence of float
    fit : {"stretch", "pad"}

    Returns
    -------
    list of (float, int, int)
        Scale, width and height in px, from the smallest scale.

    Examples
    --------
    >>> sizes(200, 100, 64, [2, 0.5, 1], "pad")
    [(1, 64, 32), (2, 128, 64)]
    """
    found = [(scale, *fitted(width, height, round(input_size * scale), fit)) for scale in sorted(scales)]
    return [(scale, *size) for scale, *size in found if min(size) >= LEAST]


def extract(sources, encoder, pipeline, *, opened, fit, scales):
    """Compute the places of images.

    Parameters
    ----------
    sources : sequence
        Of what `opened` takes.
    encoder : slidecaf.features.networks.encoder.Encoder
        Of one layer, which gives a map.
    pipeline : slidecaf.features.extraction.pipeline.Pipeline
    opened : callable
        A source to its open `slidecaf.slides.Slide`.
    fit : {"stretch", "pad"}
    scales : sequence of float

    Yields
    ------
    source
    features : ndarray of float16, shape (n, D), or None
        Scale after scale from the smallest, each map row after row.
    seen : (int, int, float or None), or SlidecafError
        Width and height in px and micrometres a pixel; or why the image could not be read.
    scale : ndarray of float32, shape (n,), or None
    box : ndarray of float32, shape (n, 4), or None
        As `slidecaf.features.shards.WholeImage` has them.

    Raises
    ------
    SlidecafError
        If features are not numbers, or the network gives no map or takes no image of one of the sizes.
    """
    largest = max(scales)

    def read(piece):
        try:
            with opened(piece.source) as slide:
                if not sizes(slide.width, slide.height, encoder.input_size, scales, fit):
                    raise SlideError(
                        f"slide {piece.source.name}: {piece.source.path} of {slide.width} x {slide.height} px has a "
                        f"side below {LEAST} px at every scale; write larger scales, or fit: stretch."
                    )
                # no more than the largest scale needs, and no more than there is
                width, height = fitted(slide.width, slide.height, round(encoder.input_size * largest), fit)
                width, height = min(width, slide.width), min(height, slide.height)
                pixels = torch.from_numpy(read_whole(slide, width, height)).permute(2, 0, 1)[None]
                piece.seen = slide.width, slide.height, slide.mpp
            return resize_to(pixels, height, width), np.True_, None
        except SlidecafError as error:  # the caller's to judge: no image stops another
            piece.seen = error
            return torch.zeros((1, 3, 1, 1), dtype=torch.uint8), np.False_, None

    def encode(pixels, piece):
        if isinstance(piece.seen, SlidecafError):
            return torch.zeros((1, encoder.dimension), dtype=torch.float16, device=encoder.device)
        rows = []
        for scale, width, height in sizes(*piece.seen[:2], encoder.input_size, scales, fit):
            # as it lies in memory the same, whatever size it is read at: features do not depend on it
            image = resize_to(pixels, height, width).contiguous(memory_format=torch.channels_last)
            try:
                found = encoder.places(image)[0]
            except torch.OutOfMemoryError as error:
                raise SlidecafError(
                    f"scales: the GPU's memory does not hold the network and an image of {width} x {height} px; leave "
                    "out the largest scales, or take a smaller input_size."
                ) from error
            piece.maps.append((scale, *found.shape[:2]))
            rows.append(functional.normalize(found.flatten(0, 1)).to(torch.float16))
        return torch.cat(rows)

    pieces = [_Piece(source) for source in sources]
    with closing(pipeline.run(read, encode, pieces)) as results:
        for piece, (features, *_) in zip(pieces, results, strict=True):
            if isinstance(piece.seen, SlidecafError):
                yield piece.source, None, piece.seen, None, None
                continue
            boxes = [_boxes(rows, columns, *piece.seen[:2]) for _, rows, columns in piece.maps]
            counts = [len(one) for one in boxes]
            scale = np.repeat(np.array([scale for scale, *_ in piece.maps], np.float32), counts)
            yield piece.source, features, piece.seen, scale, np.concatenate(boxes)


def _boxes(rows, columns, width, height):
    """Return the parts of an image that the places of a map stand for: it is cut into as many equal parts."""
    y, x = np.mgrid[:rows, :columns]
    wide, high = width / columns, height / rows
    sides = np.full(x.size, wide), np.full(x.size, high)
    return np.stack([x.ravel() * wide, y.ravel() * high, *sides], axis=1).astype(np.float32)
