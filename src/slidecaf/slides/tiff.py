"""TIFF files that OpenSlide does not read, or would read wrongly."""

from contextlib import ExitStack

import tifffile

from slidecaf.slides.base import LIMITS, Level, Slide, slide_errors
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.colour import BLACK_IS_ZERO, RGB, WHITE_IS_ZERO, YCBCR, Colour
from slidecaf.slides.pages import open_page

CACHE_BYTES = 2**27
"""What a slide's cache of decoded tiles or strips may hold; a single one may be larger."""

MICROMETRES = {2: 25_400, 3: 10_000}
"""Of the units that ResolutionUnit may name: an inch, a centimetre."""

OPENSLIDE_COMPRESSIONS = {5, 7, 8, 32773, 32946, 50000}
"""LZW, JPEG, deflate by two numbers, PackBits, Zstandard."""


class TiffSlide(Slide):
    """A TIFF or BigTIFF file, tiled or striped: grey, RGB, palette, CMYK or YCbCr by JPEG, of 1 to 16 bit.

    Only the tiles or strips that a region meets are decoded; where one compressed strip is the whole page, that
    is the page. Levels are the pages, or the pages below the first (SubIFDs), that are marked as reduced and
    have the first page's proportions and samples.

    Parameters
    ----------
    name : str
    path : path-like
    mpp : float or None
        The sheet's.
    limits : slidecaf.slides.base.Limits, optional

    Raises
    ------
    SlideError
        If the file is damaged, or if it holds a stack of images, pixels or a compression that are not supported.
    """

    def __init__(self, name, path, *, mpp, limits=LIMITS):
        with slide_errors(name, path), ExitStack() as opened:
            tiff = opened.enter_context(tifffile.TiffFile(path))
            pages = pyramid_pages(tiff)
            cache, descriptor = SegmentCache(CACHE_BYTES), tiff.filehandle.fileno()
            self._pages = [open_page(page, descriptor, cache, limits=limits, colour=Colour.of(page)) for page in pages]
            levels = [
                Level(page.imagewidth, page.imagelength, _downsample(page, pages[0]), read.block)
                for page, read in zip(pages, self._pages, strict=True)
            ]
            super().__init__(name, path, levels, limits=limits, mpp=mpp, file_mpp=_mpp(pages[0]))
            self._opened = opened.pop_all()

    def _release(self):
        self._opened.close()

    def _read(self, x, y, width, height, level):
        return self._pages[level].read(x, y, width, height)


def suits_openslide(name, path) -> bool:
    """Tell whether OpenSlide shows a tiled TIFF of no known scanner ("generic-tiff") as it is meant.

    OpenSlide 4.0 leaves such files to libtiff's RGBA interface. Against known pixels (a test holds both) that is
    wrong for grey of 16 bit, for alpha on grey, for a fourth channel that is no alpha, for signed samples and for
    tiles of a turned image. It fails for 1 bit, for CMYK and palettes of 16 bit, for WebP, JPEG 2000 and others,
    and for uncompressed tiles that are no whole number of KiB. Levels in SubIFDs it does not see. So it gets the
    plain kinds only.

    Parameters
    ----------
    name : str
        The slide's id.
    path : path-like

    Returns
    -------
    bool

    Raises
    ------
    SlideError
        If the file is damaged or holds a stack.
    """
    with slide_errors(name, path), tifffile.TiffFile(path) as tiff:
        pages = pyramid_pages(tiff)
        page = pages[0]
        plain = {(WHITE_IS_ZERO, 1, 8), (BLACK_IS_ZERO, 1, 8), (RGB, 3, 8), (YCBCR, 3, 8), (RGB, 3, 16)}
        return (
            (page.photometric, page.samplesperpixel, page.bitspersample) in plain
            and page.sampleformat == 1
            and page.compression in OPENSLIDE_COMPRESSIONS
            and page.tags.valueof("Orientation", 1) == 1
            and not any(level.is_subifd for level in pages)
        )


def pyramid_pages(tiff) -> list:
    """List the pages of a TIFF file that are levels of its first.

    Parameters
    ----------
    tiff : tifffile.TiffFile

    Returns
    -------
    list of tifffile.TiffPage
        The first page, then the others from the largest to the smallest.

    Raises
    ------
    ValueError
        If there are more images of the first one's size or depth: focal planes, channels or cases, of which
        nobody said which one is meant.
    """
    first, *others = tiff.pages
    others += first.pages or []
    size = first.imagewidth, first.imagelength
    if min(size) < 1:
        raise ValueError("the first page has no pixels")
    if first.imagedepth > 1:
        raise ValueError(f"{first.imagedepth} planes of depth are not supported")
    stack = [
        page
        for page in others
        if not page.is_reduced and not page.is_mask and (page.imagewidth, page.imagelength) == size
    ]
    if stack:
        raise ValueError(f"{len(stack) + 1} images of one size, a stack or channels apart, are not supported")
    levels = [page for page in others if _is_level(page, first)]
    return [first, *sorted(levels, key=lambda page: -page.imagewidth)]


def _is_level(page, first):
    if not page.is_reduced or page.is_mask or not 0 < page.imagewidth < first.imagewidth or page.imagelength < 1:
        return False
    kind = (page.samplesperpixel, page.bitspersample, page.sampleformat)
    if kind != (first.samplesperpixel, first.bitspersample, first.sampleformat):
        return False
    # Both sides may be rounded, up or down. A label or an overview has other proportions.
    downsample = _downsample(page, first)
    across, down = first.imagewidth / downsample, first.imagelength / downsample
    return abs(across - page.imagewidth) <= 1 and abs(down - page.imagelength) <= 1


def _downsample(page, first):
    return (first.imagewidth / page.imagewidth + first.imagelength / page.imagelength) / 2


def _mpp(page):
    """Return micrometres a pixel, the mean of both directions; None where the unit or a value is missing."""
    unit = MICROMETRES.get(page.tags.valueof("ResolutionUnit"))
    (across, per_across), (down, per_down) = (page.tags.valueof(tag, (0, 0)) for tag in ("XResolution", "YResolution"))
    if unit is None or not across or not down:
        return None
    return unit * (per_across / across + per_down / down) / 2
