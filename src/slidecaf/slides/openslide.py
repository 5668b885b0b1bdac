"""Slides that OpenSlide reads."""

import math
import threading
from contextlib import ExitStack

import numpy as np
import tifffile
from openslide import (
    PROPERTY_NAME_BOUNDS_HEIGHT,
    PROPERTY_NAME_BOUNDS_WIDTH,
    PROPERTY_NAME_BOUNDS_X,
    PROPERTY_NAME_BOUNDS_Y,
    PROPERTY_NAME_MPP_X,
    PROPERTY_NAME_MPP_Y,
    PROPERTY_NAME_OBJECTIVE_POWER,
    PROPERTY_NAME_VENDOR,
    OpenSlide,
    OpenSlideCache,
    OpenSlideError,
)

from slidecaf.slides.base import LIMITS, Level, Slide, slide_errors, whole_tiles
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.direct import VENDORS, direct_pages
from slidecaf.slides.pixels import on_white

CACHE_BYTES = 2**27
"""What a slide's cache of decoded tiles may hold.

128 MiB are two rows of tiles of 256 px of a slide 60,000 px wide, so that a row of patches finds the tiles that the
row above it shared. OpenSlide's default is 32 MiB.
"""


BOUNDS = (PROPERTY_NAME_BOUNDS_X, PROPERTY_NAME_BOUNDS_Y, PROPERTY_NAME_BOUNDS_WIDTH, PROPERTY_NAME_BOUNDS_HEIGHT)


class OpenSlideSlide(Slide):
    """A slide that OpenSlide opens. It also reads it, but for levels whose tiles can be decoded straight from the file.

    Where a level's downsample is no whole number, OpenSlide has no exact place for that level's pixels; they
    are taken up to one px of level 0 to the left and above, interpolated, and never from beyond the border.

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
        If OpenSlide cannot open the file, or it is too large.
    """

    def __init__(self, name, path, *, mpp, limits=LIMITS):
        self._cache, self._lock = OpenSlideCache(CACHE_BYTES), threading.Lock()
        self.path = path
        with slide_errors(name, path), ExitStack() as opened:
            self._handle = self._open()
            properties = dict(self._handle.properties)
            levels = [
                Level(*size, downsample, _block(properties, level), _tile(properties, level))
                for level, (size, downsample) in enumerate(
                    zip(self._handle.level_dimensions, self._handle.level_downsamples, strict=True)
                )
            ]
            for level in levels:
                # OpenSlide ends the process where it gets no memory for a tile.
                limits.check_decoded(*(level.tile or (1, 1)), "a tile")
            self._pages = [None] * len(levels)
            if properties.get(PROPERTY_NAME_VENDOR) in VENDORS:
                tiff = opened.enter_context(tifffile.TiffFile(path))
                self._pages = direct_pages(tiff, levels, SegmentCache(CACHE_BYTES), limits=limits)
            self._opened = opened.pop_all()
        mpp_x, mpp_y, power = (
            float(properties[key]) if key in properties else None
            for key in (PROPERTY_NAME_MPP_X, PROPERTY_NAME_MPP_Y, PROPERTY_NAME_OBJECTIVE_POWER)
        )
        file_mpp = None if mpp_x is None or mpp_y is None else (mpp_x, mpp_y)
        bounds = tuple(int(properties[key]) for key in BOUNDS) if properties.keys() >= set(BOUNDS) else None
        super().__init__(
            name, path, levels, limits=limits, mpp=mpp, file_mpp=file_mpp, magnification=power, bounds=bounds
        )

    def reads_directly(self, level) -> bool:
        """Tell whether a level's tiles are decoded straight from the file.

        Parameters
        ----------
        level : int

        Returns
        -------
        bool
        """
        return self._pages[level] is not None

    def _release(self):
        # The handle closes itself when the last thread has left its read; closing it under a read would crash.
        self._handle = None
        self._opened.close()

    def _open(self):
        handle = OpenSlide(self.path)
        handle.set_cache(self._cache)
        return handle

    def _read(self, x, y, width, height, level):
        if self._pages[level] is not None:
            return self._pages[level].read(x, y, width, height)
        handle = self._handle
        downsample = self.levels[level].downsample
        # The small addend makes up for the rounding of a product that should be whole.
        corner = tuple(math.floor(place * downsample + 1e-6) for place in (x, y))
        try:
            return _rgb(handle.read_region(corner, level, (width, height)))
        except OpenSlideError:
            # After an error a handle fails for good, also for threads that read good regions. So others get a
            # fresh one, and this region is tried once more, on a handle that no other region can have spoilt.
            with self._lock:
                if self._handle is handle:
                    self._handle = self._open()
            return _rgb(self._open().read_region(corner, level, (width, height)))


def _tile(properties, level):
    """Return width and height of a level's tiles, or None where OpenSlide does not say them."""
    sides = [properties.get(f"openslide.level[{level}].tile-{side}") for side in ("width", "height")]
    return None if None in sides else tuple(map(int, sides))


def _block(properties, level):
    """Return a block of whole tiles, or the default one where their size is not known."""
    return whole_tiles(*(_tile(properties, level) or (1, 1)))


def _rgb(image):
    """Turn what OpenSlide read into RGB on white."""
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return np.array(image.convert("RGB"))
    return on_white(np.asarray(image)[..., :3], np.asarray(alpha))
