"""STAMP's layout: a file of features a slide, with coordinates in micrometres, and its two tables.

After src/stamp/preprocessing/__init__.py and src/stamp/modeling/data.py of KatherLab/STAMP.
"""

from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.exchange.export import needed, write_csv
from slidecaf.files.atomic import atomic
from slidecaf.files.hdf5 import PACKED


def write_stamp(slides, folder, *, name):
    """Write features as `stamp preprocess` leaves them, and tables for `stamp train` and `stamp crossval`.

    Parameters
    ----------
    slides : list of slidecaf.exchange.export.Extracted
    folder : path-like
        Gets ``{name}/{slide}.h5``, ``slide_table.csv`` (PATIENT, FILENAME) and ``clini_table.csv`` (PATIENT, label,
        split), with the patients that have a label.
    name : str
        Of the feature set.

    Yields
    ------
    str
        Each slide's id, when it is written.

    Raises
    ------
    SlidecafError
        If a slide's resolution is not known, or a patient has slides of two labels: STAMP knows one a patient.
    """
    import h5py

    folder, of_patient = Path(folder), {}
    for row in (slide.row for slide in slides):
        if row.label and of_patient.setdefault(row.patient, (row.label, row.split))[0] != row.label:
            raise SlidecafError(
                f"patient {row.patient} has slides of {of_patient[row.patient][0]} and {row.label}, and STAMP takes "
                "one label a patient; give these slides patients of their own in a copy of the study."
            )
    for slide in slides:
        features, coords, attributes = slide.read()
        mpp = needed(attributes, "level0_mpp", slide.row.slide, "STAMP")
        with atomic(folder / name / f"{slide.row.slide}.h5") as partial, h5py.File(partial, "w", locking=False) as file:
            file.create_dataset("feats", data=features, chunks=(min(256, len(features)), features.shape[1]), **PACKED)
            file.create_dataset("coords", data=(coords * mpp).astype(np.float32))
            file.attrs["extractor"] = name
            file.attrs["feat_type"] = "tile"
            file.attrs["tile_size_px"] = int(attributes["patch_size"])
            file.attrs["tile_size_um"] = float(attributes["patch_size_level0"] * mpp)
            file.attrs["unit"] = "um"
        yield slide.row.slide
    files = [(slide.row.patient, f"{slide.row.slide}.h5") for slide in slides]
    write_csv(folder / "slide_table.csv", ["PATIENT", "FILENAME"], files)
    write_csv(
        folder / "clini_table.csv",
        ["PATIENT", "label", "split"],
        [(key, *of_patient[key]) for key in sorted(of_patient)],
    )
