"""Regions of maps and masks: of the TIFF files that a run wrote, and of the masks that a sheet names."""

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import tifffile

from slidecaf.files.faults import unread
from slidecaf.segmentation.masks import mask_strips
from slidecaf.slides.base import LIMITS
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.directories import check_directories
from slidecaf.slides.pages import open_page

CACHE_BYTES = 2**26
"""What a file's cache of decoded tiles may hold."""


class TiffRaster:
    """A map or mask that `slidecaf.segmentation.rasters` wrote: a TIFF file of tiles and a single channel.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, here and in `read`.
    """

    def __init__(self, path):
        self._path = Path(path)
        with self._damage(), ExitStack() as opened:
            check_directories(path)
            tiff = opened.enter_context(tifffile.TiffFile(path))
            page = tiff.pages.first
            if not page.is_tiled or page.samplesperpixel != 1:
                raise ValueError("no tiles of one channel")
            self._samples = open_page(page, tiff.filehandle.fileno(), SegmentCache(CACHE_BYTES), limits=LIMITS)
            self.width, self.height = page.imagewidth, page.imagelength
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()

    @contextmanager
    def _damage(self):
        try:
            yield
        # A damaged file makes the library raise anything.
        except Exception as error:
            raise unread(self._path, error) from error

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a region that lies inside.

        Parameters
        ----------
        x, y, width, height : int
            In px of level 0.

        Returns
        -------
        ndarray, shape (height, width)
            Of the file's type; it may be read-only.
        """
        with self._damage():
            return self._samples.read(x, y, width, height)[..., 0]


class SheetMask:
    """A mask that a sheet names, a bit a pixel, in a file without a name that ends with the process.

    Masks may be PNG, which has no regions: so it is decoded once, and what is kept is a 24th of its pixels' size or
    less, on the disk.

    Parameters
    ----------
    row : slidecaf.study.sheets.Row
    column : str
        Of the sheet: mask or hemorrhage.
    width, height : int
        Of the slide at level 0, which the mask must have too.
    mask_value : int or None
        The config's.

    Raises
    ------
    SlidecafError
        If the mask will not do, as `slidecaf.segmentation.masks.mask_strips` says.
    """

    def __init__(self, row, column, *, width, height, mask_value):
        self.width, self.height = width, height
        path = getattr(row, column)
        strips = mask_strips(
            path, slide=row.slide, row=row.number, column=column, width=width, height=height, mask_value=mask_value
        )
        with ExitStack() as opened:
            file = opened.enter_context(tempfile.TemporaryFile())
            for strip in strips:
                file.write(np.packbits(strip, axis=1).tobytes())
            file.flush()
            self._bits = np.memmap(file, np.uint8, mode="r", shape=(height, -(-width // 8)))
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Let go of the file; its room is free when nobody reads it any more."""
        self._opened.close()

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a region that lies inside: ndarray of bool, shape (height, width)."""
        first = x // 8
        bits = np.unpackbits(self._bits[y : y + height, first : -(-(x + width) // 8)], axis=1)
        return bits[:, x - 8 * first : x - 8 * first + width].astype(bool)
