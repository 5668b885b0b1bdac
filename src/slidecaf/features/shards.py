"""A shard: the file of the features of many whole images, whose rows stand one after another.

Row ``offsets[i]`` to ``offsets[i + 1]`` are those of image ``slides[i]``; one that could not be read has none. With
several outputs ``features`` is a group, a dataset an output. Where every place of a map is a row, ``scale`` and ``box``
say of each row where it comes from.
"""

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.hdf5 import CHUNK_ROWS, PACKED, create_hdf5, open_hdf5
from slidecaf.study.status import STATUS_OK

TEXTS = ("status", "slide_digest", "made_from")
NUMBERS = {"level0_width": np.int64, "level0_height": np.int64, "level0_mpp": np.float64}
"""Further datasets, a value an image, named as the attributes of a tiles file."""

BLOCK_ROWS = 64 * CHUNK_ROWS
"""Rows that are put together in memory before they are written: whole chunks, each compressed once."""


@dataclass(frozen=True, eq=False)
class WholeImage:
    """What a shard holds of an image.

    Attributes
    ----------
    features : ndarray of float16, shape (n, D)
        n is 1, or with ``map: places`` the places at all scales, or 0 where the image could not be read. Several
        outputs stand side by side, in the order of their names.
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
    scale : ndarray of float32, shape (n,), or None
        With ``map: places`` the scale at which the network saw the place.
    box : ndarray of float32, shape (n, 4), or None
        With ``map: places`` the part of the image that the place stands for: x, y, width, height in px of level 0.
    """

    features: np.ndarray
    status: str = STATUS_OK
    slide_digest: str = ""
    made_from: str = ""
    level0_width: int = 0
    level0_height: int = 0
    level0_mpp: float = np.nan
    scale: np.ndarray | None = None
    box: np.ndarray | None = None


def write_shard(path, images: Mapping[str, WholeImage], attributes: Mapping, *, outputs=None, origin=None) -> None:
    """Write a shard.

    Parameters
    ----------
    path : path-like
    images : mapping of str to WholeImage
        Slide to what is known of it, all with the same D; one at least.
    attributes : mapping
        Attributes of ``features``: encoder, weights_sha256, layer, extraction, slidecaf_version, config.
    outputs : mapping of str to (int, str), optional
        Of several outputs the length of its vectors and its layer; one output by default.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    counts = [len(image.features) for image in images.values()]
    count, first = sum(counts), next(iter(images.values()))
    with create_hdf5(path, origin=origin) as file:
        put = partial(_put_rows, count=count)
        if outputs:
            group, start = file.create_group("features"), 0
            for name in sorted(outputs):
                dimension, layer = outputs[name]
                columns = slice(start, start + dimension)
                one = put(group, name, (image.features[:, columns] for image in images.values()), np.float16, dimension)
                one.attrs["layer"], start = layer, start + dimension
        else:
            put(file, "features", (image.features for image in images.values()), np.float16, first.features.shape[1])
        for key in sorted(attributes):
            file["features"].attrs[key] = attributes[key]
        if any(image.box is not None for image in images.values()):
            read = [image for image in images.values() if image.box is not None]
            put(file, "scale", (image.scale[:, None] for image in read), np.float32, 1)
            put(file, "box", (image.box for image in read), np.float32, 4)
        file.create_dataset("slides", data=np.array(list(images), "S"))
        file.create_dataset("offsets", data=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
        for key in TEXTS:
            file.create_dataset(key, data=np.array([getattr(image, key) for image in images.values()], "S"))
        for key, kind in NUMBERS.items():
            file.create_dataset(key, data=np.array([getattr(image, key) for image in images.values()], kind))


def _put_rows(place, name, parts, dtype, dimension, *, count):
    """Store rows that come in parts, without having all of them in memory."""
    # chunks cannot be larger than what is stored
    packed = {"chunks": (min(CHUNK_ROWS, count), dimension), **PACKED} if count else {}
    stored = place.create_dataset(name, (count, dimension), dtype, **packed)
    held, start = [], 0

    def flush():
        nonlocal start
        rows = np.concatenate(held)
        stored[start : start + len(rows)] = rows
        start += len(rows)

    for part in parts:
        while sum(map(len, held)) + len(part) >= BLOCK_ROWS:
            room = BLOCK_ROWS - sum(map(len, held))
            held, part = [*held, part[:room]], part[room:]
            flush()
            held = []
        if len(part):
            held.append(part)
    if held:
        flush()
    return stored


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


def read_shard(path, *, features=True, output="", keep=lambda rows: rows) -> dict[str, WholeImage]:
    """Read a shard.

    Parameters
    ----------
    path : path-like
    features : bool, optional
        Whether vectors are wanted too; without them, arrays have no rows.
    output : str, optional
        Which one is wanted of a feature set with several; all side by side by default.
    keep : callable, optional
        What is done with an image's rows before the next one's are read, such as putting them on a disk.

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
        datasets = vectors_of(file, output)

        def rows(i):
            span = slice(*(offsets[i : i + 2] if features else (0, 0)))
            parts = [dataset[span] for dataset in datasets]
            places = {"scale": file["scale"][span, 0], "box": file["box"][span]} if "box" in file else {}
            return {"features": keep(parts[0] if len(parts) == 1 else np.hstack(parts)), **places}

        if "box" not in file:  # a row an image: all at once
            held = [dataset[:] if features else dataset[:0] for dataset in datasets]
            held = held[0] if len(held) == 1 else np.hstack(held)
            rows = lambda i: {"features": held[offsets[i] : offsets[i + 1]]}  # noqa: E731
        return {
            slide: WholeImage(**rows(i), **{key: of[i] for key, of in {**texts, **numbers}.items()})
            for i, slide in enumerate(_texts(file["slides"]))
        }


def vectors_of(file, output="") -> list:
    """Return the datasets of a feature set's vectors, of a shard or of a features file.

    Parameters
    ----------
    file : h5py.File
    output : str, optional
        Which one is wanted of a feature set with several; all, in the order of their names, by default.

    Returns
    -------
    list of h5py.Dataset

    Raises
    ------
    SlidecafError
        If there is no such output.
    """
    features = file["features"]
    if hasattr(features, "shape"):
        if output:
            raise SlidecafError(f"{file.filename} has one output and no {output!r}; delete it and run again.")
        return [features]
    if output and output not in features:
        raise SlidecafError(
            f"{file.filename} has no output {output!r} but {', '.join(features)}; delete it and run again."
        )
    return [features[name] for name in ([output] if output else sorted(features))]


def _texts(dataset):
    return [text.decode() for text in dataset[:].tolist()]
