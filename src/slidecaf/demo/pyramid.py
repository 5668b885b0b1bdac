"""Pyramidal tiled TIFF, as OpenSlide opens it (generic-tiff)."""

import numpy as np

from slidecaf.files.atomic import atomic

DESCRIPTION = "slidecaf: synthetic slide, drawn, not from a patient"


def halve(image) -> np.ndarray:
    """Average an image over squares of 2 x 2 pixels.

    Parameters
    ----------
    image : uint8 array (h, w, 3)
        Height and width at least 2.

    Returns
    -------
    uint8 array (h // 2, w // 2, 3)
        Means, halves rounded up. An odd last row or column is left out, as scanners do.
    """
    height, width = (side // 2 * 2 for side in image.shape[:2])
    wide = image[:height, :width].astype(np.uint16)
    rows = wide[0::2] + wide[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)


def write_slide(path, rgb, *, mpp=0.5, tile=256, quality=95) -> None:
    """Write an image as a synthetic slide: every level half of the one below, down to a single tile.

    Parameters
    ----------
    path : path-like
    rgb : uint8 array (h, w, 3)
    mpp : float
        Micrometres a pixel at level 0; written as pixels a centimetre.
    tile : int
        Side of the TIFF's own tiles in pixels, a multiple of 16.
    quality : int or None
        JPEG quality, 1 to 100; ``None`` is lossless (deflate). At 90 fine fibres lose enough contrast that
        histograms of colour begin to tell the demo's classes apart.
    """
    import tifffile

    how = {"compression": "jpeg", "compressionargs": {"level": quality}, "subsampling": (1, 1)}
    if quality is None:
        how = {"compression": "deflate"}
    level, resolution = rgb, 1e4 / mpp
    with atomic(path) as partial, tifffile.TiffWriter(partial) as tiff:
        while True:
            tiff.write(
                _segments(level, tile),
                shape=level.shape,
                dtype=np.uint8,
                photometric="rgb",
                tile=(tile, tile),
                # OpenSlide takes a later page for a level only where it says that it is a reduced image.
                subfiletype=int(level is not rgb),
                resolution=(resolution, resolution),
                resolutionunit="CENTIMETER",
                description=DESCRIPTION,
                metadata=None,
                software="slidecaf",
                maxworkers=1,
                **how,
            )
            if max(level.shape[:2]) <= tile or min(level.shape[:2]) < 2:
                return
            level, resolution = halve(level), resolution / 2


def _segments(image, tile):
    """Give the tiles by rows; those at the border repeat its pixels, for black would ring in JPEG."""
    height, width = image.shape[:2]
    full = np.pad(image, ((0, -height % tile), (0, -width % tile), (0, 0)), mode="edge")
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            yield full[y : y + tile, x : x + tile]
