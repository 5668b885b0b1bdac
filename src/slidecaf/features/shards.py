"""A shard: the file of the features of many whole images, whose rows stand one after another.

Row ``offsets[i]`` to ``offsets[i + 1]`` are those of image ``slides[i]``; one that could not be read has none.
"""

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.hdf5 import CHUNK_ROWS, PACKED, create_hdf5, open_hdf5
from slidecaf.study.status import STATUS_OK

TEXTS = ("status", "slide_digest", "made_from")
NUMBERS = {"level0_width": np.int64, "level0_height": np.int64, "level0_mpp": np.float64}
"""Further datasets, a value an image, named as the attributes of a tiles file."""


@dataclass(frozen=True, eq=False)
class WholeImage:
    """What a shard holds of an image.

    Attributes
    ----------
    features : ndarray of float16, shape (n, D)
        n is 1, or 0 where the image could not be read.
    status : str
        ``ok`` or ``unreadable``.
    slide_digest : str
        Of the file.
    made_from : str
        Digest of all that its features depend on.
    level0_width, level0_height : int
        In px; 0 where it could not be read.
    level0_mpp : float
        Micrometres a pixel; NaN where nobody says it.
    """

    features: np.ndarray
    status: str = STATUS_OK
    slide_digest: str = ""
    made_from: str = ""
    level0_width: int = 0
    level0_height: int = 0
    level0_mpp: float = np.nan


def write_shard(path, images: Mapping[str, WholeImage], attributes: Mapping, *, origin=None) -> None:
    """Write a shard.

    Parameters
    ----------
    path : path-like
    images : mapping of str to WholeImage
        Slide to what is known of it, all with the same D; one at least.
    attributes : mapping
        Attributes of ``features``: encoder, weights_sha256, layer, extraction, slidecaf_version, config.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    rows = np.concatenate([image.features for image in images.values()])
    counts = [len(image.features) for image in images.values()]
    with create_hdf5(path, origin=origin) as file:
        # chunks cannot be larger than what is stored
        packed = {"chunks": (min(CHUNK_ROWS, len(rows)), rows.shape[1]), **PACKED} if len(rows) else {}
        features = file.create_dataset("features", data=rows, dtype=np.float16, **packed)
        for key in sorted(attributes):
            features.attrs[key] = attributes[key]
        file.create_dataset("slides", data=np.array(list(images), "S"))
        file.create_dataset("offsets", data=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
        for key in TEXTS:
            file.create_dataset(key, data=np.array([getattr(image, key) for image in images.values()], "S"))
        for key, kind in NUMBERS.items():
            file.create_dataset(key, data=np.array([getattr(image, key) for image in images.values()], kind))


@contextmanager
def open_shard(path):
    """Open a shard for reading.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    h5py.File

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, or no shard.
    """
    with open_hdf5(path) as file:
        if not is_shard(file) or len(file["offsets"]) != len(file["slides"]) + 1:
            raise SlidecafError(f"{path} is no whole shard of features; delete it and run again.")
        yield file


def is_shard(file) -> bool:
    """Tell whether an open HDF5 file is a shard.

    Parameters
    ----------
    file : h5py.File

    Returns
    -------
    bool
    """
    return all(key in file for key in ("features", "slides", "offsets"))


def in_shards(paths: Mapping) -> bool:
    """Tell whether the slides of a feature set are in shards: all of them are, or none.

    Parameters
    ----------
    paths : mapping of str to path-like
        Slide to the file that holds it.

    Returns
    -------
    bool
        False where there is no slide.

    Raises
    ------
    SlidecafError
        If the first file is missing or damaged.
    """
    for path in paths.values():
        with open_hdf5(path) as file:
            return is_shard(file)
    return False


def read_shard(path, *, features=True) -> dict[str, WholeImage]:
    """Read a shard.

    Parameters
    ----------
    path : path-like
    features : bool, optional
        Whether vectors are wanted too; without them, arrays have no rows.

    Returns
    -------
    dict of str to WholeImage
        Slide to what is known of it.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_shard(path) as file:
        offsets, texts = file["offsets"][:], {key: _texts(file[key]) for key in TEXTS}
        numbers = {key: file[key][:].tolist() for key in NUMBERS}
        rows = file["features"][:] if features else file["features"][:0]
        return {
            slide: WholeImage(
                rows[offsets[i] : offsets[i + 1]], **{key: of[i] for key, of in {**texts, **numbers}.items()}
            )
            for i, slide in enumerate(_texts(file["slides"]))
        }


def _texts(dataset):
    return [text.decode() for text in dataset[:].tolist()]
