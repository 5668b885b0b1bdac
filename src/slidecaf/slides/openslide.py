"""Whole-slide formats, through OpenSlide."""

import threading

import numpy as np
import openslide

from slidecaf.errors import SlideError
from slidecaf.slides.base import Slide, levels_of, plausible_mpp
from slidecaf.slides.pixels import on_white

CACHE_BYTES = 128 * 2**20
"""Decoded pixels that OpenSlide keeps, so that neighbouring regions decode nothing twice."""


class OpenSlideSlide(Slide):
    """A slide that OpenSlide opens.

    Parameters
    ----------
    path : path-like
    name : str
        The slide's id.
    mpp : float, optional
        Wins over the file's.

    Raises
    ------
    SlideError
        If the file cannot be opened.
    """

    def __init__(self, path, name, *, mpp=None):
        self._local, self._lock, self._handle = path, threading.Lock(), None
        try:
            handle = self._open()
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(
                f"slide {name}: {path} cannot be opened ({error}); take an undamaged copy of the file."
            ) from error
        of = handle.properties.get
        mpp = mpp or plausible_mpp(of(openslide.PROPERTY_NAME_MPP_X), of(openslide.PROPERTY_NAME_MPP_Y))
        power = of(openslide.PROPERTY_NAME_OBJECTIVE_POWER)
        try:
            power = float(power) if power else None
        except ValueError:
            power = None
        super().__init__(path, name, levels_of(handle.level_dimensions), mpp, power)

    def _open(self):
        """Return the handle; a new one after an error, since OpenSlide refuses all that follows one."""
        with self._lock:
            if self._handle is None:
                self._handle = openslide.OpenSlide(self._local)
                self._handle.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
            return self._handle

    def close(self):
        """Close the file."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    def _read(self, x, y, width, height, level):
        handle = None
        try:
            handle = self._open()
            # OpenSlide wants the corner in px of level 0
            corner = round(x * handle.level_downsamples[level]), round(y * handle.level_downsamples[level])
            region = np.asarray(handle.read_region(corner, level, (width, height)))
        except (openslide.OpenSlideError, OSError) as error:
            with self._lock:
                # not closed here: another thread may still be reading through it
                self._handle = None if self._handle is handle else self._handle
            raise SlideError(
                f"slide {self.name}: {width} x {height} px at ({x}, {y}) of level {level} of {self.path} cannot be "
                f"read ({error})."
            ) from error
        return on_white(region[..., :3], region[..., 3])
