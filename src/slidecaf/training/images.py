"""Images for a network: each read once, made a square, and kept where an epoch finds it without decoding it again."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import torch
from torchvision.transforms.v2 import functional as pixels

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction.whole import PADDING, square
from slidecaf.files.atomic import refused
from slidecaf.logs import logger, progress
from slidecaf.slides import Limits
from slidecaf.slides.hair import opened_as
from slidecaf.slides.part import Part
from slidecaf.study.status import STATUS_OK, STATUS_UNREADABLE

LARGER = 1.25
"""How many times as large as the network's input an image is kept: what a crop resizes has then no fewer px."""


def kept_size(input_size: int) -> int:
    """Return the side of the squares that are kept for a network, in px.

    Parameters
    ----------
    input_size : int

    Returns
    -------
    int
    """
    return round(LARGER * input_size)


def padding(grey: bool) -> list[float]:
    """Return what is beside an image, by channel: zeros to the network.

    Parameters
    ----------
    grey : bool

    Returns
    -------
    list of float
        1 or 3.
    """
    if not grey:
        return [float(value) for value in PADDING]
    return pixels.rgb_to_grayscale(torch.tensor(PADDING, dtype=torch.uint8)[:, None, None]).flatten().tolist()


def shown(image: torch.Tensor, grey: bool) -> torch.Tensor:
    """Return an image as a network sees it: torch.Tensor of uint8, shape (3, h, w), or (1, h, w) of grey."""
    return pixels.rgb_to_grayscale(image) if grey else image


class Images:
    """Some images as squares, in a file without a name: whatever ends the job, it is gone.

    Parameters
    ----------
    slides : sequence of str
        The images wanted, in this order.
    sources : mapping of str to mapping
        Slide to its ``path``, and ``mpp`` and ``scene`` as the sheet has them.
    input_size : int
        Of the network, in px.
    grey : bool, optional
    fit : {"stretch", "pad"}, optional
        How an image becomes a square.
    hair_removal : bool, optional
        Whether dark hair is drawn over before.
    limits : mapping, optional
        As for `slidecaf.slides.Limits.from_config`.
    threads : int, optional
        Images that are read side by side.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether an image that cannot be read is an error.
    boxes : mapping of str to (int, int, int, int), optional
        Slide to x, y, width and height of the part that is read, in px; all of it by default.

    Attributes
    ----------
    status : dict of str to str
        Slide to ``ok`` or ``unreadable``.
    slides : list of str
        Those that could be read, n of them, in the order given.
    sizes : list of (int, int)
        Width and height of these in px, of the part that was read.
    squares : torch.Tensor of uint8, shape (n, c, S, S)
        c is 1 of grey, else 3.

    Raises
    ------
    SlidecafError
        After all others were tried, if an image cannot be read and `on_bad_slide` is ``fail``; or if there is no room
        for the file.
    """

    def __init__(
        self,
        slides: Sequence[str],
        sources: Mapping[str, Mapping],
        *,
        input_size: int,
        grey: bool = False,
        fit: str = "stretch",
        hair_removal: bool = False,
        limits: Mapping | None = None,
        threads: int = 1,
        on_bad_slide: str = "fail",
        boxes: Mapping[str, tuple[int, int, int, int]] | None = None,
    ):
        size, allowed = kept_size(input_size), Limits.from_config(limits) if limits else Limits()

        def read(slide):
            own = sources[slide]
            try:
                named = {"name": slide, "mpp": own["mpp"], "scene": own["scene"]}
                with opened_as(own["path"], shaved=hair_removal, limits=allowed, **named) as opened:
                    seen = Part(opened, boxes[slide]) if boxes else opened
                    image, shape = square(seen, size, fit), (seen.width, seen.height)
            except SlideError as error:  # no image stops another
                return error
            return shown(image, grey), shape

        self.status, self.slides, self.sizes, bad = {}, [], [], []
        squares = on_disk((len(slides), 1 if grey else 3, size, size))
        with progress(len(slides), "images read", unit="images") as advance, ThreadPoolExecutor(threads) as pool:
            for slide, found in zip(slides, pool.map(read, slides), strict=True):
                if isinstance(found, SlideError):
                    (logger.error if on_bad_slide == "fail" else logger.warning)("%s", found)
                    bad.append(slide)
                else:
                    squares[len(self.slides)] = found[0].numpy()
                    self.slides.append(slide)
                    self.sizes.append(found[1])
                self.status[slide] = STATUS_UNREADABLE if isinstance(found, SlideError) else STATUS_OK
                advance(1)
        if bad and on_bad_slide == "fail":
            raise SlidecafError(
                f"{len(bad)} of {len(slides)} images cannot be read ({', '.join(bad)}); mend what is said of them "
                "above and run again, or set on_bad_slide to exclude."
            )
        self.squares = torch.from_numpy(squares[: len(self.slides)])

    def only(self, chosen: Mapping[str, bool]) -> "Images":
        """Return some of these images.

        Parameters
        ----------
        chosen : mapping of str to bool
            Slide to whether it is among them; of all.

        Returns
        -------
        Images
        """
        some, places = copy(self), [place for place, slide in enumerate(self.slides) if chosen[slide]]
        some.slides, some.sizes = ([own[place] for place in places] for own in (self.slides, self.sizes))
        some.status, some.squares = dict.fromkeys(some.slides, STATUS_OK), self.squares[places]
        return some


def on_disk(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of zeros that lies in a file without a name, where the system keeps temporary ones.

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    SlidecafError
        If there is no room for it.
    """
    if 0 in shape:
        return np.zeros(shape, np.uint8)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)))  # a hole that finds no room ends the process
            return np.memmap(file, np.uint8, "r+", shape=shape)  # which keeps the file for itself
    except OSError as error:
        if reason := refused(error, folder):
            raise SlidecafError(f"{folder}: images cannot be kept there: {reason}") from error
        raise
