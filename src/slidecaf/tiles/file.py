"""The tiles file of a slide: where its patches are."""

import numpy as np

from slidecaf.files.hdf5 import create_hdf5, open_hdf5, put_array


def write_tiles(path, coords, attributes, *, tissue=None, region=None, origin=None) -> None:
    """Write where a slide's patches are.

    Parameters
    ----------
    path : path-like
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0; N may be 0.
    attributes : mapping
        Attributes of ``coords``: those that CLAM and TRIDENT read, ``status`` and ``slide_digest``.
    tissue : slidecaf.tiles.otsu.Tissue, optional
        Kept as dataset ``tissue``, for report and viewer.
    region : ndarray of int64, shape (M, 2), optional
        Kept as dataset ``region``: the patches in the slide's region of interest, before any rule.
    origin : mapping, optional
        As for `create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        put_coords(file, coords, attributes)
        if tissue is not None:
            put_array(file, "tissue", tissue.mask)
            file["tissue"].attrs["saturation_above"] = tissue.threshold
        if region is not None:
            put_array(file, "region", region)


def read_region(path) -> np.ndarray | None:
    """Read which patches of the grid are in a slide's region of interest.

    Parameters
    ----------
    path : path-like
        A tiles file.

    Returns
    -------
    ndarray of int64, shape (M, 2), or None
        x and y at level 0, before any rule; None where the slide has no region.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        return file["region"][:] if "region" in file else None


def read_tissue(path):
    """Read where a slide has tissue.

    Parameters
    ----------
    path : path-like
        A tiles file.

    Returns
    -------
    ndarray of bool, shape (h, w), or None
        Over the whole slide, made smaller; None where the tiling did not look for it.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        return file["tissue"][:] if "tissue" in file else None


def put_coords(file, coords, attributes) -> None:
    """Store coordinates as tiles and features files hold them.

    Parameters
    ----------
    file : h5py.File
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0.
    attributes : mapping
        Attributes of ``coords``.
    """
    dataset = file.create_dataset("coords", data=np.asarray(coords, np.int64).reshape(-1, 2))
    for key in sorted(attributes):
        dataset.attrs[key] = attributes[key]


def read_tiles(path) -> tuple[np.ndarray, dict]:
    """Read a tiles file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0.
    attributes : dict

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        return file["coords"][:], dict(file["coords"].attrs)
