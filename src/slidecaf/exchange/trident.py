"""TRIDENT's layout: a job folder with coordinates and, below them, features.

After trident/Processor.py, trident/IO.py and trident/wsi_objects/WSI.py of mahmoodlab/TRIDENT.
"""

import os
from pathlib import Path

import numpy as np

from slidecaf.files.atomic import atomic
from slidecaf.files.hdf5 import PACKED

COORDS = (
    "patch_size",
    "patch_size_level0",
    "level0_magnification",
    "target_magnification",
    "overlap",
    "level0_width",
    "level0_height",
)
"""Attributes of coordinates that TRIDENT writes, beside name and savetodir."""


def write_trident(slides, folder, *, name, copy=False):
    """Write features as a job folder of TRIDENT, which then encodes slides from them without extracting again.

    Parameters
    ----------
    slides : list of slidecaf.exchange.export.Extracted
    folder : path-like
        Gets ``{coords}/patches/{slide}_patches.h5`` and ``{coords}/features_{name}/{slide}.h5``, where ``{coords}`` is
        TRIDENT's name for these patches, such as ``20x_256px_0px_overlap``.
    name : str
        Of the feature set.
    copy : bool, optional
        Copy features; otherwise they are relative links to the study's, but for slides with patches that could not be
        read, which are copied without these.

    Yields
    ------
    str
        Each slide's id, when it is written.
    """
    import h5py

    coords_folder = _coords_folder(slides)
    top = Path(folder) / coords_folder
    for slide in slides:
        slide_name = slide.row.slide
        target = top / f"features_{name}" / f"{slide_name}.h5"
        with h5py.File(slide.path, "r", locking=False) as file:
            described = {key: file["coords"].attrs[key] for key in COORDS}
            coords = file["coords"][:][file["valid"][:]]
        if np.isnan(described["level0_magnification"]):
            # without them TRIDENT reads patch_level instead, and asks the slide
            for key in ("level0_magnification", "target_magnification"):
                del described[key]
            described |= {"patch_level": 0, "patch_size": described["patch_size_level0"]}
        described |= {"name": slide_name, "savetodir": coords_folder}
        patches = top / "patches" / f"{slide_name}_patches.h5"
        with atomic(patches) as partial, h5py.File(partial, "w", locking=False) as file:
            _describe(file.create_dataset("coords", data=coords), described)
        with atomic(target) as partial:
            if slide.whole and not copy:
                partial.symlink_to(os.path.relpath(slide.path.resolve(), target.parent.resolve()))
            else:
                _copy(slide, partial, described, {"name": slide_name, "savetodir": f"features_{name}", "encoder": name})
        yield slide_name


def _coords_folder(slides):
    """Return TRIDENT's name for patches of one size; without the magnification where slides differ in it."""
    import h5py

    found = set()
    for slide in slides:
        with h5py.File(slide.path, "r", locking=False) as file:
            found.add(
                tuple(float(file["coords"].attrs[key]) for key in ("target_magnification", "patch_size", "overlap"))
            )
    magnification, size, overlap = sorted(found)[0]
    known = len({value for value, *_ in found}) == 1 and not np.isnan(magnification)
    return f"{f'{magnification:g}x_' if known else ''}{size:g}px_{overlap:g}px_overlap"


def _copy(slide, partial, described, said):
    import h5py

    features, coords, _ = slide.read()
    with h5py.File(partial, "w", locking=False) as file:
        chunks = (min(256, len(features)), features.shape[1])
        _describe(file.create_dataset("features", data=features, chunks=chunks, **PACKED), said)
        _describe(file.create_dataset("coords", data=coords), described)


def _describe(dataset, attributes):
    for key in sorted(attributes):
        dataset.attrs[key] = attributes[key]
