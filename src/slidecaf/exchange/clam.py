"""CLAM's layout: ``h5_files``, ``pt_files`` and ``patches``, and the table of slides that its training reads.

After extract_features_fp.py, dataset_modules/dataset_generic.py and wsi_core/WholeSlideImage.py of mahmoodlab/CLAM.
"""

from pathlib import Path

import numpy as np

from slidecaf.exchange.export import write_csv
from slidecaf.files.atomic import atomic
from slidecaf.files.hdf5 import PACKED


def write_clam(slides, folder):
    """Write features as CLAM's `extract_features_fp.py` leaves them. CLAM's networks take 32 bit, so all is copied.

    Parameters
    ----------
    slides : list of slidecaf.exchange.export.Extracted
    folder : path-like
        Gets ``pt_files/{slide}.pt``, ``h5_files/{slide}.h5``, ``patches/{slide}.h5`` and ``dataset.csv`` with the
        slides that have a label; its column split, which CLAM passes over, tells test rows apart.

    Yields
    ------
    str
        Each slide's id, when it is written.
    """
    import h5py
    import torch

    folder = Path(folder)
    labelled = [slide.row for slide in slides if slide.row.label]
    write_csv(
        folder / "dataset.csv",
        ["case_id", "slide_id", "label", "split"],
        [(row.patient, row.slide, row.label, row.split) for row in labelled],
    )
    for slide in slides:
        name = slide.row.slide
        features, coords, attributes = slide.read()
        features = features.astype(np.float32)
        with atomic(folder / "h5_files" / f"{name}.h5") as partial, h5py.File(partial, "w", locking=False) as file:
            file.create_dataset(
                "features", data=features, chunks=(min(256, len(features)), features.shape[1]), **PACKED
            )
            file.create_dataset("coords", data=coords.astype(np.int32))
        _write_patches(folder / "patches" / f"{name}.h5", name, coords, attributes)
        with atomic(folder / "pt_files" / f"{name}.pt") as partial, open(partial, "wb") as file:
            # by an open file, so that the file's name does not get into its bytes
            torch.save(torch.from_numpy(features), file)
        yield name


def _write_patches(path, name, coords, attributes):
    """Write where patches are, at level 0 whatever resolution they were read at: CLAM knows no sizes between levels."""
    import h5py

    size = int(attributes["level0_width"]), int(attributes["level0_height"])
    described = {
        "patch_size": int(attributes["patch_size_level0"]),
        "patch_level": 0,
        "downsample": (1.0, 1.0),
        "downsampled_level_dim": size,
        "level_dim": size,
        "name": name,
        "save_path": "patches",
    }
    with atomic(path) as partial, h5py.File(partial, "w", locking=False) as file:
        dataset = file.create_dataset("coords", data=coords.astype(np.int32))
        for key in sorted(described):
            dataset.attrs[key] = described[key]
