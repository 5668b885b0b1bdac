"""Files of masks: PNG, TIFF and GeoJSON, read as they are meant, by bands from top to bottom.

Grey is read as the file says it: where 0 is white (PhotometricInterpretation 0), values are turned round, so that what
looks white is foreground as in every other file. Of a palette the index counts. What may be read in two ways is
refused.
"""

import numpy as np
import tifffile
from PIL.PngImagePlugin import PngImageFile

from slidecaf.files.faults import is_file
from slidecaf.segmentation import mask_values
from slidecaf.segmentation.mask_channels import PALETTE, WHITE_IS_ZERO, choose_channel
from slidecaf.segmentation.mask_geojson import geojson_bands
from slidecaf.segmentation.mask_values import CLASS_KEY, MaskProblem
from slidecaf.slides import TIFF
from slidecaf.slides.cache import SegmentCache
from slidecaf.slides.directories import check_directories
from slidecaf.slides.geojson import is_geojson
from slidecaf.slides.pages import open_page
from slidecaf.slides.segments import sides

PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of PNG."""

PNG_SCALE = {"L;2": 85, "L;4": 17}
"""Raw modes of Pillow to what it multiplies the stored values by."""

ORIENTATION = 274
"""The tag of EXIF."""

TURNED = "says that it is shown turned (orientation {}); save it unrotated, as the slide is"


def open_mask(path, sizes, foreground, limits, *, column, channel, key, wanted=None, most=None):
    """Read a mask by bands.

    Parameters
    ----------
    path : path-like
    sizes : list of (int, int)
        Widths and heights that it may have, the slide's first.
    foreground : slidecaf.segmentation.mask_values.Foreground
    limits : slidecaf.slides.Limits
    column : str
        The sheet's, for errors.
    channel : int, str or None
        Which of several channels is meant.
    key : str
        The config's key that holds `channel`; empty where none concerns this mask.
    wanted : sequence of str, optional
        The classes of annotations that are foreground.
    most : int, optional
        Of a larger TIFF file some bands are left out, at even distances, so that some so many px are read.

    Yields
    ------
    (int, int)
        First the mask's width and height;
    ndarray of bool, shape (h, width)
        then its bands from top to bottom.

    Raises
    ------
    MaskProblem
        If it is no mask, or of another size.
    """
    if not is_file(path):
        raise MaskProblem(f"is no file; correct the sheet's column {column}")
    with open(path, "rb") as file:
        start = file.read(64)
    if start.startswith(PNG):
        yield from _png(path, sizes, foreground, limits, channel, key)
    elif start.startswith(TIFF):
        yield from _tiff(path, sizes, foreground, limits, channel, key, most)
    elif is_geojson(start):
        yield from geojson_bands(path, sizes[-1], foreground, wanted=wanted, key=CLASS_KEY if key else "", most=most)
    else:
        said = "is neither PNG nor TIFF nor GeoJSON" if start else "is empty"
        raise MaskProblem(f"{said}; save it as PNG, TIFF or GeoJSON")
    foreground.finish()


def _wrong_size(size, expected):
    (slide, *bounds), shown = expected, "{0[0]} x {0[1]}"
    also = f" or at {shown.format(bounds[0])}, the size of its bounds" if bounds else ""
    return MaskProblem(
        f"has {shown.format(size)} px, and the slide {shown.format(slide)}; save it at the slide's full size{also}"
    )


def _opaque(alpha, opaque):
    if (alpha != opaque).any():
        raise MaskProblem("has an alpha channel that is not opaque everywhere; save it without alpha")


def _png(path, sizes, foreground, limits, channel, key):
    # Called by itself, the reader skips Pillow's own limit, which is smaller and the whole process's.
    with PngImageFile(path) as image:
        if image.size not in sizes:
            raise _wrong_size(image.size, sizes)
        width, height = image.size
        if channel not in (None, 0):
            raise MaskProblem(f"holds no channel {channel!r}, as {key} asks for; a PNG has one, and its number is 0")
        if width * height > limits.decoded:
            raise MaskProblem(
                f"has {width} x {height} px, too many for PNG, which is decoded whole (the config's "
                f"max_decoded_megapixels is {limits.decoded / 10**6:g}); save it as tiled TIFF"
            )
        raw_mode, alpha = image.tile[0].args, "A" in image.getbands()
        if raw_mode.endswith(";16B") and raw_mode != "I;16B":
            raise MaskProblem("has several channels of 16 bit, of which PNG's reader keeps 8; save it as grey")
        if getattr(image, "n_frames", 1) > 1:
            raise MaskProblem(f"holds {image.n_frames} images; save the one that is meant by itself")
        # Decoding does not look at checksums, and damage could pass for a mask.
        with PngImageFile(path) as unread:
            unread.verify()
        image.load()
        if (turned := image.getexif().get(ORIENTATION, 1)) != 1:
            raise MaskProblem(TURNED.format(turned))
        if image.mode == "P":
            foreground.palette = np.reshape(image.getpalette("RGB"), (-1, 3))
        yield image.size
        step = max(1, mask_values.PIECE // width)
        for top in range(0, height, step):
            band = np.asarray(image.crop((0, top, width, min(height, top + step))))
            samples = band.reshape(len(band), width, -1)
            if alpha:
                _opaque(samples[..., -1], 255)
                samples = samples[..., :-1]
            yield foreground.of(samples // PNG_SCALE.get(raw_mode, 1))


def _tiff(path, sizes, foreground, limits, channel, key, most):
    check_directories(path)
    with tifffile.TiffFile(path) as tiff:
        pages = _pages(tiff, sizes)
        _check_listed(tiff)
        chosen = choose_channel(tiff, pages, channel, key=key)
        page, bits = chosen.page, chosen.page.bitspersample
        if (turned := page.tags.valueof("Orientation", 1)) != 1:
            raise MaskProblem(TURNED.format(turned))
        _check_pieces(page, limits)
        white_is_zero = int(page.photometric) == WHITE_IS_ZERO
        if white_is_zero:
            _check_turnable(page)
        if int(page.photometric) == PALETTE and page.colormap is not None:
            foreground.palette = page.colormap.T
        foreground.nodata = int(page.nodata)
        samples = open_page(page, tiff.filehandle.fileno(), SegmentCache(0), limits=limits)
        width, height, (across, down) = page.imagewidth, page.imagelength, samples.band
        yield width, height
        every = -(-width * height // most) if most else 1
        for top in range(0, height, down * every):
            parts = []
            for left in range(0, width, across):
                part = samples.read(left, top, min(across, width - left), min(down, height - top))
                if chosen.alpha is not None:
                    _opaque(part[..., chosen.alpha], 2**bits - 1)
                part = part[..., chosen.samples]
                if white_is_zero:
                    part = np.array(2**bits - 1, part.dtype) ^ part  # of unsigned numbers: the highest minus it
                parts.append(foreground.of(part))
            yield np.concatenate(parts, axis=1)


def _pages(tiff, sizes):
    """Return the pages of the mask's size: the slide's, or else that of its bounds; reduced ones are levels of them."""
    pages = list(tiff.pages)
    for size in sizes:
        found = [page for page in pages if (page.imagewidth, page.imagelength) == size]
        if found:
            return [page for page in found if not page.is_reduced] or found
    raise _wrong_size((pages[0].imagewidth, pages[0].imagelength), sizes)


def _check_listed(tiff):
    """Refuse a file of which only the first image has a directory: ImageJ writes large stacks so."""
    said, listed = 1, len(tiff.pages)
    if tiff.is_imagej:
        said = int((tiff.imagej_metadata or {}).get("images", 1))
    elif tiff.is_shaped and any(part.get("truncated") for part in tiff.shaped_metadata or ()):
        raise MaskProblem("holds more images than its directories list; save the one that is meant by itself")
    if said > listed:
        raise MaskProblem(f"holds {said} images and lists {listed}; save the one that is meant by itself")


def _check_turnable(page):
    """Refuse grey whose 0 is white where it cannot be told what its numbers stand for."""
    if page.dtype.kind == "i":
        raise MaskProblem("holds numbers with a sign of which 0 is white; save it with 0 for black")
    if 0 in page.databytecounts:
        raise MaskProblem("leaves out tiles or strips, and has 0 for white; save it with 0 for black")


def _check_pieces(page, limits):
    """Refuse tiles or strips that are too large to be decoded at once."""
    width, height = sides(page)
    if not page.is_final and width * height > limits.decoded:
        raise MaskProblem(
            f"is stored in pieces of {width} x {height} px, too large to be decoded (the config's "
            f"max_decoded_megapixels is {limits.decoded / 10**6:g}); save it as tiled TIFF"
        )
