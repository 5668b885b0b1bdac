"""Confidence maps and masks as TIFF files of the slide's size: tiled, compressed, with the patch grid in their tags."""

import json

import numpy as np

from slidecaf.store import atomic

SIDE = 512
"""Px of a tile's side."""

CLASSIC = 2**32 - 2**25
"""Bytes of raw tiles up to which a file is no BigTIFF, whose addresses have 32 bit."""


def write_confidence(path, values, cells, *, attributes, mpp):
    """Write a confidence map.

    Parameters
    ----------
    path : path-like
    values : ndarray of float32, shape (rows, columns)
        One a cell; NaN where no patch is, and NaN in the file.
    cells : slidecaf.cells.Cells
        They cover the slide; the file is as large as it.
    attributes : mapping
        What the file shall say of itself, as JSON in its ImageDescription.
    mpp : float or None
        Micrometres a pixel, for the resolution tags.
    """
    _write(path, values.astype(np.float32), cells, attributes, mpp)


def write_mask(path, mask, cells, *, attributes, mpp):
    """Write a mask, 255 where it is and 0 elsewhere.

    Parameters
    ----------
    path : path-like
    mask : ndarray of bool, shape (rows, columns)
    cells, attributes, mpp
        As for `write_confidence`.
    """
    _write(path, mask.astype(np.uint8) * np.uint8(255), cells, attributes, mpp)


def _write(path, values, cells, attributes, mpp):
    import tifffile

    height, width = int(cells.cuts_y[-1]), int(cells.cuts_x[-1])
    resolution = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"} if mpp else {}
    with atomic(path) as partial:
        tifffile.imwrite(
            partial,
            _tiles(values, cells, height, width),
            shape=(height, width),
            dtype=values.dtype,
            tile=(SIDE, SIDE),
            compression="adobe_deflate",
            # as good as the best level on runs of equal values, and twice as fast
            compressionargs={"level": 1},
            photometric="minisblack",
            bigtiff=-(-height // SIDE) * -(-width // SIDE) * SIDE**2 * values.itemsize > CLASSIC,
            description=json.dumps(dict(attributes), sort_keys=True),
            software="slidecaf",
            metadata=None,
            maxworkers=1,
            **resolution,
        )


def _tiles(values, cells, height, width):
    """Yield tiles from left to right and top to bottom; beyond the border they repeat its last pixels."""
    across = -(-width // SIDE) * SIDE
    for top in range(0, height, SIDE):
        strip = cells.expand(values, top, min(height, top + SIDE))
        strip = np.pad(strip, ((0, SIDE - len(strip)), (0, across - width)), mode="edge")
        for left in range(0, width, SIDE):
            yield np.ascontiguousarray(strip[:, left : left + SIDE])
