"""The regions file of a slide: circles, their texture, and regions; and where the slide's cells are."""

from dataclasses import dataclass

import numpy as np

from slidecaf.files.hdf5 import create_hdf5, open_hdf5, put_array
from slidecaf.segmentation.graph_rlm.slide import CELL, Regions
from slidecaf.tiles.file import put_coords
from slidecaf.tiles.grid import slide_attributes


@dataclass(frozen=True, eq=False)
class Described:
    """What a regions file says of a slide that has regions.

    Attributes
    ----------
    owner : ndarray of int64, shape (rows, columns)
        The circle of each cell.
    features : ndarray of float64, shape (n, d)
        Of the circles.
    regions : dict of (int, float) to ndarray of int64, shape (n,)
        ``comp_thr`` and ``dist_thr`` to the region of each circle.
    """

    owner: np.ndarray
    features: np.ndarray
    regions: dict

    def vectors(self, pair) -> np.ndarray:
        """Return the mean features of each region's circles.

        Parameters
        ----------
        pair : (int, float)
            ``comp_thr`` and ``dist_thr``.

        Returns
        -------
        ndarray of float64, shape (regions, d)
        """
        region = self.regions[pair]
        sums = np.zeros((region.max() + 1, self.features.shape[1]))
        np.add.at(sums, region, self.features)
        return sums / np.bincount(region)[:, None]

    def cells(self, pair) -> np.ndarray:
        """Return the region of each cell.

        Parameters
        ----------
        pair : (int, float)

        Returns
        -------
        ndarray of int64, shape (rows, columns)
        """
        return self.regions[pair][self.owner]


def cell_attributes(slide) -> dict:
    """Describe a slide's cells as a tiles file describes patches, of which there are none.

    Parameters
    ----------
    slide : slidecaf.slides.Slide

    Returns
    -------
    dict
        Attributes of ``coords``.
    """
    sides = dict.fromkeys(("patch_size", "patch_size_level0", "stride"), CELL)
    return {**sides, "stride_level0": float(CELL), "overlap": 0, **slide_attributes(slide, 1.0)}


def cells_of(attributes) -> tuple[int, int]:
    """Return how many rows and columns of cells a slide has.

    Parameters
    ----------
    attributes : mapping
        From `cell_attributes`.

    Returns
    -------
    (int, int)
    """
    return tuple(-(-int(attributes[f"level0_{side}"]) // CELL) for side in ("height", "width"))


def write_regions(path, regions: Regions | None, attributes, *, origin=None) -> None:
    """Write a slide's regions.

    Parameters
    ----------
    path : path-like
    regions : Regions or None
        None where the slide has no circle, or could not be opened.
    attributes : mapping
        From `cell_attributes`, and ``status``.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        put_coords(file, (), attributes)
        if regions is not None:
            put_array(file, "circles", regions.circles)
            put_array(file, "texture", regions.features)
            put_array(file, "owner", regions.owner.astype(np.int32))
            put_array(file, "regions", np.stack(list(regions.regions.values())).astype(np.int32))
            file["regions"].attrs["comp_thr"], file["regions"].attrs["dist_thr"] = (
                np.asarray(side) for side in zip(*regions.regions, strict=True)
            )


def read_regions(path) -> tuple[str, Described | None]:
    """Read a slide's regions.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    status : str
    regions : Described or None
        None where the slide has none.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        status = str(file["coords"].attrs["status"])
        if "regions" not in file:
            return status, None
        pairs = zip(*(file["regions"].attrs[key].tolist() for key in ("comp_thr", "dist_thr")), strict=True)
        regions = dict(zip(pairs, file["regions"][:].astype(np.int64), strict=True))
        return status, Described(file["owner"][:].astype(np.int64), file["texture"][:], regions)
