"""TIFF files that OpenSlide does not read, or would read wrongly."""

from contextlib import ExitStack

import tifffile

from slidecaf.slides.base import LIMITS, Level, Slide, slide_errors
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.colour import BLACK_IS_ZERO, RGB, WHITE_IS_ZERO, YCBCR, Colour
from slidecaf.slides.pages import open_page
from slidecaf.slides.scenes import choose_scene, downsample_of, is_smaller, list_scenes

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
    scene : str, optional
        The sheet's: which of several images is the slide.
    limits : slidecaf.slides.base.Limits, optional

    Raises
    ------
    SlideError
        If the file is damaged, if it holds several images and none was chosen, or a stack, pixels or a compression
        that are not supported.
    """

    def __init__(self, name, path, *, mpp, scene="", limits=LIMITS):
        with slide_errors(name, path), ExitStack() as opened:
            tiff = opened.enter_context(tifffile.TiffFile(path))
            scenes = list_scenes(tiff)
            chosen = choose_scene(scenes, scene, name=name, path=path)
            pages = pyramid_pages(tiff, chosen, alone=len(scenes) == 1)
            cache, descriptor = SegmentCache(CACHE_BYTES), tiff.filehandle.fileno()
            self._pages = [
                open_page(page, descriptor, cache, limits=limits, colour=Colour.of(page, used=chosen.bits))
                for page in pages
            ]
            levels = [
                Level(page.imagewidth, page.imagelength, downsample_of(page, pages[0]), read.block)
                for page, read in zip(pages, self._pages, strict=True)
            ]
            turned = pages[0].tags.valueof("Orientation", 1)
            turned = turned if turned in range(1, 9) else 1
            super().__init__(name, path, levels, limits=limits, mpp=mpp, file_mpp=_mpp(chosen), orientation=int(turned))
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
    and for uncompressed tiles that are no whole number of KiB. Levels in SubIFDs it does not see, nor the resolution
    and the further images of OME-XML. So it gets the plain kinds only.

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
        scenes = list_scenes(tiff)
        if len(scenes) > 1:
            return False
        page = scenes[0].page
        pages = pyramid_pages(tiff, scenes[0], alone=True)
        plain = {(WHITE_IS_ZERO, 1, 8), (BLACK_IS_ZERO, 1, 8), (RGB, 3, 8), (YCBCR, 3, 8), (RGB, 3, 16)}
        return (
            (page.photometric, page.samplesperpixel, page.bitspersample) in plain
            and page.offset == tiff.pages.first.offset
            and scenes[0].mpp is None
            and page.sampleformat == 1
            and page.compression in OPENSLIDE_COMPRESSIONS
            and page.tags.valueof("Orientation", 1) == 1
            and not any(level.is_subifd for level in pages)
        )


def pyramid_pages(tiff, scene, *, alone) -> list:
    """List the pages of a TIFF file that are levels of a scene.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    scene : slidecaf.slides.scenes.Scene
    alone : bool
        Whether it is the file's only one. Of several the levels are those below their pages (SubIFDs).

    Returns
    -------
    list of tifffile.TiffPage
        The scene's page, then the others from the largest to the smallest.

    Raises
    ------
    ValueError
        If the scene has focal planes, times or channels, of which nobody said which one is meant.
    """
    first = scene.page
    if min(first.imagewidth, first.imagelength) < 1:
        raise ValueError("the page has no pixels")
    if first.imagedepth > 1:
        raise ValueError(f"{first.imagedepth} planes of depth are not supported")
    if scene.planes > 1:
        raise ValueError(f"{scene.planes} focal planes, times or channels of one image are not supported")
    others = [*(list(tiff.pages)[1:] if alone else []), *(first.pages or [])]
    levels = [page for page in others if _is_level(page, first)]
    return [first, *sorted(levels, key=lambda page: -page.imagewidth)]


def _is_level(page, first):
    if not page.is_reduced or page.is_mask or not is_smaller(page, first):
        return False
    kind = (page.samplesperpixel, page.bitspersample, page.sampleformat)
    return kind == (first.samplesperpixel, first.bitspersample, first.sampleformat)


def _mpp(scene):
    """Return micrometres a pixel, across and down; None where the file does not say them."""
    if scene.mpp is not None:
        return scene.mpp
    page = scene.page
    unit = MICROMETRES.get(page.tags.valueof("ResolutionUnit"))
    (across, per_across), (down, per_down) = (page.tags.valueof(tag, (0, 0)) for tag in ("XResolution", "YResolution"))
    if unit is None or not across or not down:
        return None
    return unit * per_across / across, unit * per_down / down
