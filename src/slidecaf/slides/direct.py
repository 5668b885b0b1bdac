"""Levels of a slide that OpenSlide opens whose tiles are decoded straight from the file.

OpenSlide lays tiles out as ARGB and composes each region from them, which takes as long as decoding does. Levels,
resolution and bounds stay what OpenSlide says. A test holds the pixels of both against each other.
"""

import math

import tifffile

from slidecaf.slides.base import Level
from slidecaf.slides.colour import RGB, UNSIGNED, YCBCR, Colour
from slidecaf.slides.pages import SegmentedPage
from slidecaf.slides.segments import PLAIN_JPEG

VENDORS = {"aperio", "generic-tiff"}
"""OpenSlide's names of the formats whose levels are plain pages of TIFF."""

RGB_JPEG_2000 = 33005
"""The value of Compression that Aperio has for RGB by JPEG 2000. YCbCr by it, 33003, OpenSlide rounds otherwise."""


def direct_pages(tiff, levels, cache, *, limits) -> list[SegmentedPage | None]:
    """Find the pages of a TIFF file that OpenSlide has for levels and whose tiles are plain.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Open as long as the pages are read.
    levels : sequence of Level
        As OpenSlide says them.
    cache : slidecaf.slides.cache.SegmentCache
    limits : slidecaf.slides.base.Limits

    Returns
    -------
    list of SegmentedPage or None
        One a level. None where its page is not plain RGB by JPEG or by Aperio's JPEG 2000, where two could be the
        level, where a tile is missing, for which OpenSlide may take another level, or where the level's px have no
        whole place on level 0, at which OpenSlide interpolates.
    """
    found = []
    for level in levels:
        pages = [page for page in tiff.pages if _is_level(page, level)]
        usable = len(pages) == 1 and math.isclose(level.downsample, round(level.downsample)) and _is_plain(pages[0])
        colour = Colour.of(pages[0]) if usable else None
        found.append(SegmentedPage(pages[0], tiff.filehandle.fileno(), cache, limits, colour) if usable else None)
    return found


def _is_level(page, level: Level):
    size = page.imagewidth, page.imagelength
    return page.is_tiled and size == (level.width, level.height) and (page.tilewidth, page.tilelength) == level.tile


def _is_plain(page):
    kind = page.compression, page.photometric
    return (
        kind in {(PLAIN_JPEG, RGB), (PLAIN_JPEG, YCBCR), (RGB_JPEG_2000, RGB)}
        and (page.samplesperpixel, page.bitspersample, page.sampleformat) == (3, 8, UNSIGNED)
        and page.planarconfig == tifffile.PLANARCONFIG.CONTIG
        and page.imagedepth == 1
        and page.tags.valueof("Orientation", 1) == 1
        and all(page.dataoffsets)
        and all(page.databytecounts)
    )
