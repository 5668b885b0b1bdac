"""The pooled file of a slide: one vector a norm."""

import numpy as np

from slidecaf.files.hdf5 import create_hdf5, open_hdf5
from slidecaf.study.status import STATUS_OK


def write_pooled(path, vectors, *, patches, status, origin=None) -> None:
    """Write a slide's pooled vectors.

    Parameters
    ----------
    path : path-like
    vectors : mapping of str to ndarray of float64, shape (D,)
        Norm to vector, of one of several outputs ``output/norm``; empty where the slide has no patch.
    patches : int
        The valid patches that were pooled.
    status : str
        ``ok``, ``no tissue`` or ``unreadable``.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        for norm in sorted(vectors):
            file.create_dataset(norm, data=np.asarray(vectors[norm], np.float64))
        file.attrs["patches"] = patches
        file.attrs["status"] = status


def read_pooled(path, norms, *, output="") -> tuple[dict, int]:
    """Read a slide's pooled vectors.

    Parameters
    ----------
    path : path-like
    norms : sequence of str
        The norms wanted, by name.
    output : str, optional
        Which one is wanted of a feature set with several.

    Returns
    -------
    vectors : dict of str to ndarray of float64, shape (D,)
        Empty where the slide has no patch.
    patches : int
    status : str

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        status, patches = str(file.attrs["status"]), int(file.attrs["patches"])
        place = f"{output}/" if output else ""
        return ({norm: file[f"{place}{norm}"][:] for norm in norms} if status == STATUS_OK else {}), patches, status
