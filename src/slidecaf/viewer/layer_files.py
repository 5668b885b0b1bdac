"""Regions of maps and masks: of the TIFF files that a run wrote, and of the masks that a sheet names."""

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import tifffile

from slidecaf.classification.drawn import read_drawn
from slidecaf.classification.heatmap import read_heatmap
from slidecaf.classification.patches import read_patch_scores
from slidecaf.errors import SlidecafError
from slidecaf.files.faults import unread
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.maps import confidence_map
from slidecaf.segmentation.masks import mask_strips
from slidecaf.slides.base import LIMITS
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.directories import check_directories
from slidecaf.slides.pages import open_page
from slidecaf.tiles.file import read_tissue
from slidecaf.tiles.region import Region

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


class TissueRaster:
    """Where a slide has tissue, from a tiles file that holds it made smaller.

    Parameters
    ----------
    path : path-like
    width, height : int
        Of the slide at level 0.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, or does not say it.
    """

    def __init__(self, path, *, width, height):
        self.width, self.height, self._mask = width, height, read_tissue(path)
        if self._mask is None:
            raise SlidecafError(f"{path} does not say where tissue is: it is of another config; run the study again.")

    def close(self) -> None:
        """Nothing is open."""

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a region that lies inside: ndarray of bool, shape (height, width)."""
        return nearest(self._mask, self, x, y, width, height)


class RegionRaster:
    """The region of interest of a slide, as its sheet's annotations have it.

    Parameters
    ----------
    path : path-like
        GeoJSON.
    slide : slidecaf.viewer.slide_tiles.SlidePyramid

    Raises
    ------
    SlidecafError
        If the file will not do, as `slidecaf.tiles.region.Region` says.
    """

    def __init__(self, path, slide):
        self.width, self.height = slide.width, slide.height
        self._region = Region(path, slide)

    def close(self) -> None:
        """Nothing is open."""

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a part that lies inside: ndarray of bool, shape (height, width)."""
        return self._region.pixels(x, y, width, height)


class PatchRaster:
    """What a classification says of a slide's patches, on the mean over those that contain a pixel.

    Parameters
    ----------
    path : path-like
        That `slidecaf.classification.patches.score_patches` wrote, or `slidecaf.classification.heatmap.put_heatmap`.
    kind : {"patch-score", "cluster", "heatmap"}
        The score; for each cluster the share of patches that are positive and of it; or the patch's own confidence.
    width, height : int
        Of the slide at level 0.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """

    def __init__(self, path, kind, *, width, height):
        self.width, self.height = width, height
        if kind == "heatmap":
            heat = read_heatmap(path)
            coords, attributes, channels = heat.coords, heat.attributes, [heat.patch_confidence]
        else:
            found = read_patch_scores(path)
            coords, attributes, channels = found.coords, found.attributes, [found.score]
            if kind == "cluster":
                clusters = range(1 + int(found.cluster.max(initial=0)))
                channels = [(found.cluster == k) & (found.score > 0) for k in clusters]
        size = int(attributes.get("patch_size_level0", 1))
        self._cells = Cells.of_patches(coords, size, width, height)
        self._values = np.stack(
            [confidence_map(self._cells, coords, size, values.astype(np.float32)) for values in channels], axis=2
        )

    def close(self) -> None:
        """Nothing is open."""

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a region that lies inside: ndarray of float32, shape (height, width, channels); NaN without a patch."""
        down = np.searchsorted(self._cells.cuts_y, np.arange(y, y + height), side="right") - 1
        across = np.searchsorted(self._cells.cuts_x, np.arange(x, x + width), side="right") - 1
        return self._values[down[:, None], across]


class DrawnRaster:
    """What foreground Fisher vectors or a network trained here say of a slide, from the picture that was drawn of it.

    Parameters
    ----------
    path : path-like
        That `slidecaf.classification.class_maps.write_map` wrote: at most 256 px a side, so that what is read of a
        large slide is coarse.
    kind : {"membership", "activation", "attention", "foreground"}
        The membership as a multiple of the mixture's mean, class activation or attention as one of half the largest
        value, or whether it is above the threshold.
    width, height : int
        Of the slide at level 0.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """

    def __init__(self, path, kind, *, width, height):
        self.width, self.height = width, height
        values, foreground, attention = read_drawn(path)
        if attention is None:  # of an image that could not be read, or a network that has none
            attention = np.full_like(values, np.nan)
        self._values = {"foreground": foreground, "attention": attention}.get(kind, values)

    def close(self) -> None:
        """Nothing is open."""

    def read(self, x, y, width, height) -> np.ndarray:
        """Read a region that lies inside: ndarray, shape (height, width), of float32 with NaN, or of bool."""
        return nearest(self._values, self, x, y, width, height)


def nearest(values, slide, x, y, width, height) -> np.ndarray:
    """Read a region of a slide from what was made smaller: each pixel from the one that it lies in.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
    slide
        What has the slide's ``width`` and ``height``.
    x, y, width, height : int
        In px of level 0.

    Returns
    -------
    ndarray, shape (height, width)
    """
    rows, columns = values.shape
    down = (np.arange(y, y + height) * 2 + 1) * rows // (2 * slide.height)
    across = (np.arange(x, x + width) * 2 + 1) * columns // (2 * slide.width)
    return values[down[:, None], across]


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
        Of the slide at level 0.
    bounds : (int, int, int, int)
        Of the slide.
    **settings
        ``mask_value``, ``mask_channel`` and ``mask_class`` of the config, as `slidecaf.segmentation.masks.Mask` takes
        them.

    Raises
    ------
    SlidecafError
        If the mask will not do, as `slidecaf.segmentation.masks.Mask` says.
    """

    def __init__(self, row, column, *, width, height, bounds, **settings):
        self.width, self.height = width, height
        path = getattr(row, column)
        place = {"width": width, "height": height, "bounds": bounds}
        strips = mask_strips(path, slide=row.slide, row=row.number, column=column, **place, **settings)
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
