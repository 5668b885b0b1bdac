"""Confidence maps and masks as TIFF files of the slide's size: tiled, compressed, saying what they were made with."""

import hashlib
import json
from contextlib import contextmanager
from uuid import UUID
from xml.etree import ElementTree

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.faults import unread

SIDE = 512
"""Px of a tile's side."""

CLASSIC = 2**32 - 2**25
"""Bytes of raw tiles up to which a file is no BigTIFF, whose addresses have 32 bit."""

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"

MICROMETRE = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}


def write_confidence(path, values, cells, *, attributes, mpp) -> None:
    """Write a confidence map: an OME-TIFF, which QuPath and Bio-Formats open with its pixel size and its pyramid.

    Lower levels, each half as large, show the value of the pixel in the middle of what they stand for: a mean would mix
    what is NaN with what is not.

    Parameters
    ----------
    path : path-like
    values : ndarray of float32, shape (rows, columns)
        One a cell; NaN where no patch is, and NaN in the file.
    cells : slidecaf.segmentation.cells.Cells
        They cover the slide; level 0 is as large as it.
    attributes : mapping
        What the file shall say of itself, as JSON values in the map annotation of its OME-XML. ``slide`` names the
        image.
    mpp : float or None
        Micrometres a pixel, for the OME-XML and the resolution tags.
    """
    values = np.ascontiguousarray(values, np.float32)
    said = {key: json.dumps(attributes[key]) for key in sorted(attributes)}
    # an identifier of the contents: the usual one is drawn from the clock
    seal = hashlib.sha256(
        repr((said, mpp)).encode() + values.tobytes() + cells.cuts_x.tobytes() + cells.cuts_y.tobytes()
    )
    metadata = {
        "axes": "YX",
        "Creator": "slidecaf",
        "UUID": str(UUID(bytes=seal.digest()[:16], version=5)),
        "Name": str(attributes.get("slide", "")),
        "Channel": {"Name": "confidence"},
        "MapAnnotation": said,
        **({"PhysicalSizeX": mpp, "PhysicalSizeY": mpp, **MICROMETRE} if mpp else {}),
    }
    _write(path, values, cells, mpp, levels=_levels(cells), ome=True, metadata=metadata)


def write_mask(path, mask, cells, *, attributes, mpp) -> None:
    """Write a mask, 255 where it is and 0 elsewhere.

    Parameters
    ----------
    path : path-like
    mask : ndarray of bool, shape (rows, columns)
    cells : slidecaf.segmentation.cells.Cells
    attributes : mapping
        What the file shall say of itself, as JSON in its ImageDescription.
    mpp : float or None
        Micrometres a pixel, for the resolution tags.
    """
    described = {"description": json.dumps(dict(attributes), sort_keys=True), "metadata": None}
    _write(path, mask.astype(np.uint8) * np.uint8(255), cells, mpp, levels=1, **described)


def read_attributes(path) -> dict:
    """Read what a confidence map or mask says of itself.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with _opened(path) as file:
        if not file.is_ome:
            return json.loads(file.pages[0].description)
        said = ElementTree.fromstring(file.ome_metadata).iter(f"{OME}M")  # noqa: S314  our own file
        return {item.get("K"): json.loads(item.text) for item in said}


def read_cells(path, cells) -> np.ndarray:
    """Read one value a cell of a confidence map or mask.

    Parameters
    ----------
    path : path-like
    cells : slidecaf.segmentation.cells.Cells
        On which the file is constant.

    Returns
    -------
    ndarray of the file's type, shape (rows, columns)

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, or not as large as the cells.
    """
    with _opened(path) as file:
        page = file.pages[0]
        size = int(cells.cuts_y[-1]), int(cells.cuts_x[-1])
        if page.shape != size:
            found = " x ".join(map(str, page.shape[::-1]))
            raise SlidecafError(f"{path} has {found} px, and its tiles {size[1]} x {size[0]}; delete it and run again.")
        values = np.empty(cells.shape, page.dtype)
        for tile, place, shape in page.segments():
            rows, columns = (
                slice(*np.searchsorted(cuts[:-1], (start, start + length)))
                for cuts, start, length in zip((cells.cuts_y, cells.cuts_x), place[2:4], shape[1:3], strict=True)
            )
            top, left = cells.cuts_y[:-1][rows] - place[2], cells.cuts_x[:-1][columns] - place[3]
            values[rows, columns] = tile[0, :, :, 0][np.ix_(top, left)]
        return values


@contextmanager
def _opened(path):
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except SlidecafError:
        raise
    except Exception as error:  # over a damaged file libraries raise anything
        raise unread(path, error) from error


def _levels(cells):
    """Return how many levels a pyramid has whose last fits a tile."""
    longest = int(max(cells.cuts_y[-1], cells.cuts_x[-1]))
    return 1 + max(0, (-(-longest // SIDE) - 1).bit_length())


def _write(path, values, cells, mpp, *, levels, ome=False, **described):
    import tifffile

    height, width = int(cells.cuts_y[-1]), int(cells.cuts_x[-1])
    sizes = [(-(-height // 2**level), -(-width // 2**level)) for level in range(levels)]
    raw = sum(-(-rows // SIDE) * -(-columns // SIDE) * SIDE**2 * values.itemsize for rows, columns in sizes)
    with (
        atomic(path) as partial,
        tifffile.TiffWriter(partial, bigtiff=raw > CLASSIC, ome=ome) as file,
    ):
        for level, shape in enumerate(sizes):
            unit = mpp and 1e4 / (mpp * 2**level)
            file.write(
                _tiles(values, cells, *shape, 2**level),
                shape=shape,
                dtype=values.dtype,
                tile=(SIDE, SIDE),
                compression="adobe_deflate",
                # as good as the best level on runs of equal values, and twice as fast
                compressionargs={"level": 1},
                photometric="minisblack",
                software="slidecaf",
                maxworkers=1,
                subfiletype=int(level > 0),
                **({"subifds": levels - 1} if level == 0 and levels > 1 else {}),
                **({"resolution": (unit, unit), "resolutionunit": "CENTIMETER"} if mpp else {}),
                **(described if level == 0 else {"metadata": None}),
            )


def _tiles(values, cells, height, width, step):
    """Yield tiles of a level from left to right and top to bottom; beyond the border they repeat its last pixels."""
    across = -(-width // SIDE) * SIDE
    for top in range(0, height, SIDE):
        rows = min(height, top + SIDE) - top
        strip = cells.expand(values, top, top + rows) if step == 1 else cells.sample(values, top, rows, step)
        strip = np.pad(strip, ((0, SIDE - len(strip)), (0, across - width)), mode="edge")
        for left in range(0, width, SIDE):
            yield np.ascontiguousarray(strip[:, left : left + SIDE])
