"""Whole images through a network: each read, resized to the network's input, and one vector of it."""

from contextlib import closing

import numpy as np
import torch

from slidecaf.errors import SlidecafError
from slidecaf.features.extraction.patchwise import Encode, resize_to
from slidecaf.features.networks.encoder import MEAN
from slidecaf.tiles.whole import fitted, read_whole

PADDING = tuple(round(255 * mean) for mean in MEAN)
"""R, G and B beside an image that keeps its shape: zeros to the network, as its own padding is."""


def square(slide, size, fit) -> torch.Tensor:
    """Read a whole slide as the network sees it.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    size : int
        The side of the square, in px.
    fit : {"stretch", "pad"}
        Resize it to a square, or keep its shape in the middle of one.

    Returns
    -------
    torch.Tensor of uint8, shape (3, size, size)
        RGB.

    Raises
    ------
    SlideError
        If a part of it cannot be read.
    """
    width, height = fitted(slide.width, slide.height, size, fit)
    pixels = torch.from_numpy(read_whole(slide, width, height)).permute(2, 0, 1)[None]
    image = resize_to(pixels, height, width)[0]
    if (width, height) == (size, size):
        return image
    filled = torch.tensor(PADDING, dtype=torch.uint8)[:, None, None].repeat(1, size, size)
    left, top = (size - width) // 2, (size - height) // 2
    filled[:, top : top + height, left : left + width] = image
    return filled


def extract(sources, encoder, pipeline, *, opened, fit, batch_size):
    """Compute the features of whole images.

    Every batch has `batch_size` images, the last one filled up with zeros: a network's last bits depend on how many
    images it is given, and not on which others they are. So an image's features are the same alone and among others.

    Parameters
    ----------
    sources : sequence
        Of what `opened` takes.
    encoder : slidecaf.features.networks.encoder.Encoder
    pipeline : slidecaf.features.extraction.pipeline.Pipeline
    opened : callable
        A source to its open `slidecaf.slides.Slide`.
    fit : {"stretch", "pad"}
    batch_size : int
        Images that go through the network together.

    Yields
    ------
    source
    features : ndarray of float16, shape (1, D), or None
    seen : (int, int, float or None), or SlidecafError
        Width and height in px and micrometres a pixel; or why the image could not be read.

    Raises
    ------
    SlidecafError
        If features are not numbers, or too large for 16 bit.
    """
    size, pin = encoder.input_size, encoder.device.type == "cuda"

    def read(batch):
        pixels = torch.zeros((batch_size, size, size, 3), dtype=torch.uint8, pin_memory=pin).permute(0, 3, 1, 2)
        valid, seen = np.zeros(batch_size, bool), []
        for i, source in enumerate(batch):
            try:
                with opened(source) as slide:
                    pixels[i] = square(slide, size, fit)
                    seen.append((slide.width, slide.height, slide.mpp))
                valid[i] = True
            except SlidecafError as error:  # the caller's to judge: no image stops another
                seen.append(error)
        return pixels, valid, seen

    batches = [sources[start : start + batch_size] for start in range(0, len(sources), batch_size)]
    with closing(pipeline.run(read, Encode(encoder, batch_size), batches)) as results:
        for batch, (features, _, seen) in zip(batches, results, strict=True):
            for i, source in enumerate(batch):
                bad = isinstance(seen[i], SlidecafError)
                yield source, None if bad else features[i : i + 1].copy(), seen[i]
