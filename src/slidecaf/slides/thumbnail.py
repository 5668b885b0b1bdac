"""A slide made small, read by blocks with bounded memory."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from slidecaf.errors import SlideError
from slidecaf.files.atomic import atomic
from slidecaf.files.manifests import make_batch
from slidecaf.logs import logger
from slidecaf.slides import Limits, open_slide

LONGEST = 1600
"""The longest side of a slide in a picture, in px."""

UNREAD = (128, 128, 128)
"""R, G and B of what could not be read."""


def thumbnail(slide, longest=LONGEST) -> np.ndarray:
    """Read a whole slide, made smaller.

    Each pixel is the mean of those of the coarsest level that is fine enough. The level is read by blocks, so that
    memory does not grow with the slide.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    longest : int, optional
        The most px of the longer side. A slide is never enlarged.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB. Blocks that cannot be read are grey, and logged.

    Raises
    ------
    SlideError
        If nothing can be read.
    """
    return average(slide, longest)[0]


def average(slide, longest) -> tuple[np.ndarray, np.ndarray]:
    """Read a whole slide, made smaller, and tell which pixels could not be read.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    longest : int
        The most px of the longer side.

    Returns
    -------
    pixels : ndarray of uint8, shape (height, width, 3)
        As `thumbnail` gives them.
    unread : ndarray of bool, shape (height, width)

    Raises
    ------
    SlideError
        If nothing can be read.
    """
    downsample = max(1, max(slide.width, slide.height) / longest)
    index = slide.best_level(downsample)
    level = slide.levels[index]
    # A level may be a little coarser than wanted, and is not enlarged either.
    width, height = (
        max(1, min(round(whole / downsample), here))
        for whole, here in ((slide.width, level.width), (slide.height, level.height))
    )
    failed = []

    def grey(error):
        failed.append(error)
        logger.warning("%s This part is grey in the picture.", error)

    pixels, counted = shrink(slide, index, width, height, bad=grey)
    if failed and not counted.any():
        raise failed[-1]
    pixels[~counted] = UNREAD
    return pixels, ~counted


def shrink(slide, index, width, height, *, bad=None) -> tuple[np.ndarray, np.ndarray]:
    """Make a level of a slide smaller: each pixel is the mean of those that it stands for.

    The level is read by blocks, so that memory does not grow with it.

    Parameters
    ----------
    slide : slidecaf.slides.Slide
    index : int
        Of the level.
    width, height : int
        Wanted, in px; at most the level's.
    bad : callable, optional
        Called with the `SlideError` of each block that cannot be read, which is then left out; by default it is raised.

    Returns
    -------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB; 0 where nothing could be read.
    counted : ndarray of bool, shape (height, width)
        Where something could.

    Raises
    ------
    SlideError
        If a block cannot be read and `bad` is not given.
    """
    level = slide.levels[index]
    cuts_x, cuts_y = cuts(level.width, width), cuts(level.height, height)
    sums, counts = np.zeros((height, width, 3), np.int64), np.zeros((height, width, 1), np.int64)
    for top in range(0, level.height, level.block[1]):
        for left in range(0, level.width, level.block[0]):
            right, bottom = min(left + level.block[0], level.width), min(top + level.block[1], level.height)
            try:
                region = slide.read(left, top, right - left, bottom - top, index)
            except SlideError as error:
                if bad is None:
                    raise
                bad(error)
                continue
            columns, first_x, wide = _parts(cuts_x, left, right)
            rows, first_y, high = _parts(cuts_y, top, bottom)
            by_column = np.add.reduceat(region, first_x, axis=1, dtype=np.int64)
            sums[rows, columns] += np.add.reduceat(by_column, first_y, axis=0)
            counts[rows, columns, 0] += high[:, None] * wide
    pixels = ((2 * sums + counts) // np.maximum(2 * counts, 1)).astype(np.uint8)
    return pixels, counts[..., 0] > 0


def cuts(length, parts) -> np.ndarray:
    """Divide a side into equal parts, each cut at the nearest whole px.

    Parameters
    ----------
    length, parts : int

    Returns
    -------
    ndarray of int64, shape (parts + 1,)
        From 0 to `length`.
    """
    return (2 * np.arange(parts + 1) * length + parts) // (2 * parts)


def _parts(cuts, start, stop):
    """Return which parts a stretch of px meets (a slice), where each begins in it, and how many px of it each has."""
    first = np.searchsorted(cuts, start, side="right") - 1
    last = np.searchsorted(cuts, stop)
    edges = np.clip(cuts[first : last + 1], start, stop) - start
    return slice(first, last), edges[:-1], np.diff(edges)


def write_jpeg(path, image) -> None:
    """Write a picture as JPEG of quality 90, with nothing but its pixels.

    Parameters
    ----------
    path : path-like
    image : PIL.Image.Image
        RGB.
    """
    # An image made anew brings no comment or profile along. Colour at full resolution keeps outlines sharp.
    bare, content = Image.fromarray(np.asarray(image)), io.BytesIO()
    # not to the file at once: Pillow takes a write that a full disk cut short for a whole one
    bare.save(content, "JPEG", quality=90, subsampling="4:4:4")
    with atomic(path) as partial:
        partial.write_bytes(content.getvalue())


def make_thumbnails(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
) -> None:
    """Make some slides small; a picture for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest`` and, as the sheet has it, ``scene``.
    settings : mapping
        ``longest``, the px of the longer side, ``revision`` and ``versions``.
    paths : mapping of str to path-like
        Slide to its file.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that cannot be read is an error, or has a grey picture.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read.
    """
    longest, folder = settings["longest"], Path(manifest).parent

    def work(slide, files, origin):
        own = slides[slide]
        try:
            with open_slide(paths[slide], name=slide, scene=own["scene"], limits=Limits.from_config(limits)) as opened:
                picture = Image.fromarray(thumbnail(opened, longest=longest))
        except SlideError as error:
            if on_bad_slide == "fail":
                raise
            logger.warning("left out: %s", error)
            picture = Image.new("RGB", (longest, longest // 4), UNREAD)
        write_jpeg(files["thumbnail"], picture)

    make_batch(manifest, slides, work, outputs=lambda slide: {"thumbnail": folder / f"{slide}.jpg"}, settings=settings)
