"""The features file of a slide: one vector a patch, as CLAM and TRIDENT read it."""

from contextlib import contextmanager

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.features.shards import vectors_of
from slidecaf.files.hdf5 import CHUNK_ROWS, PACKED, new_hdf5, open_hdf5
from slidecaf.tiles.file import put_coords

CHUNK_CACHE = 256 * 2**20
"""Bytes of chunks that wait to be whole: more than the grid rows of one block of a dense extraction touch."""

FLUSHED = 16 * CHUNK_ROWS
"""Rows that wait to be compressed, about, while more are computed; all at once they would wait for the file's end."""


class FeatureWriter:
    """Streams features into an HDF5 file, a row for each of the coordinates.

    Made by `write_features`.
    """

    def __init__(self, file, count, dimension, check, outputs=None):
        self._check = check
        # chunks cannot be larger than what is stored; a slide without patches has none
        rows = min(CHUNK_ROWS, count)

        def vectors(place, name, dimension):
            packed = {"chunks": (rows, dimension), **PACKED} if count else {}
            return place.create_dataset(name, (count, dimension), np.float16, **packed)

        if outputs:
            self.features, self._parts, start = file.create_group("features"), [], 0
            for name in sorted(outputs):
                length, layer = outputs[name]
                one = vectors(self.features, name, length)
                one.attrs["layer"] = layer
                self._parts.append((one, slice(start, start + length)))
                start += length
        else:
            self.features = vectors(file, "features", dimension)
            self._parts = [(self.features, slice(None))]
        self._valid = file.create_dataset("valid", (count,), bool)
        self.written = 0
        self.nonzero = 0
        self._flushed = 0

    def append(self, features, valid):
        """Add rows after those written last.

        Parameters
        ----------
        features : ndarray of float16, shape (n, D)
        valid : ndarray of bool, shape (n,)
            False where the patch could not be read.
        """
        self.write(self.written, features, valid)

    def write(self, start, features, valid):
        """Write rows anywhere, each once.

        Parameters
        ----------
        start : int
            The first row.
        features : ndarray of float16, shape (n, D)
        valid : ndarray of bool, shape (n,)
        """
        # all rows before are there: their chunks are whole
        if start == self.written >= self._flushed + FLUSHED:
            for one, _ in self._parts:
                one.flush()
            self._flushed = self.written
        end = start + len(features)
        for one, columns in self._parts:
            one[start:end] = features[:, columns]
        self._valid[start:end] = valid
        self._check()  # a disk that is full stops the network now, and not hours later
        self.nonzero += np.count_nonzero(features[valid])
        self.written += len(features)


@contextmanager
def write_features(path, coords, dimension, *, coords_attributes, attributes, outputs=None, origin=None):
    """Open a features file for writing; it gets its name when the block ends without an error.

    Parameters
    ----------
    path : path-like
    coords : ndarray of int64, shape (N, 2)
    dimension : int
        D, the length of a patch's vector; of several outputs, which are written side by side, of all together.
    coords_attributes : mapping
        As in the tiles file.
    attributes : mapping
        Attributes of ``features``: encoder, weights_sha256, layer, extraction, slidecaf_version, config, status.
    outputs : mapping of str to (int, str), optional
        Of several outputs the length of its vectors and its layer, in the order of their names side by side in what is
        written; one output by default.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.

    Yields
    ------
    FeatureWriter
    """
    # Chunks that are written by rows of a block wait in memory until they are whole: each is compressed once.
    cache = {"rdcc_nbytes": CHUNK_CACHE, "rdcc_nslots": 100_003, "rdcc_w0": 1.0}
    with new_hdf5(path, origin, **cache) as (file, output):
        put_coords(file, coords, coords_attributes)
        writer = FeatureWriter(file, len(coords), dimension, output.check, outputs)
        yield writer
        if writer.written != len(coords):
            raise AssertionError(f"{writer.written} of {len(coords)} rows written")
        for key in sorted(attributes):
            writer.features.attrs[key] = attributes[key]


@contextmanager
def open_features(path):
    """Open a features file for reading.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    h5py.File
        With datasets ``features`` (N, D), or a group of one an output, ``coords`` (N, 2) and ``valid`` (N,).

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        for name in ("features", "coords", "valid"):
            if name not in file or any(len(one) != len(file["coords"]) for one in _datasets(file, name)):
                raise SlidecafError(f"{path} has no whole dataset {name!r}; delete it and run again.")
        yield file


def _datasets(file, name):
    return vectors_of(file) if name == "features" else [file[name]]


def valid_features(file, *, output="", rows=CHUNK_ROWS):
    """Read the features of valid patches, some rows at a time.

    Parameters
    ----------
    file : h5py.File
        From `open_features`.
    output : str, optional
        Which one is wanted of a feature set with several.
    rows : int, optional
        Rows held in memory at once.

    Yields
    ------
    ndarray of float16, shape (n, D)
    """
    vectors = one_output(file, output)
    for start in range(0, len(vectors), rows):
        valid = file["valid"][start : start + rows]
        yield vectors[start : start + rows][valid]


def one_output(file, output=""):
    """Return the dataset of the vectors of one output.

    Parameters
    ----------
    file : h5py.File
        From `open_features`, or of a shard.
    output : str, optional
        Which one is wanted of a feature set with several.

    Returns
    -------
    h5py.Dataset

    Raises
    ------
    SlidecafError
        If there are several and none is named, or none of this name.
    """
    vectors = vectors_of(file, output)
    if len(vectors) > 1:
        names = ", ".join(one.name.rpartition("/")[2] for one in vectors)
        raise SlidecafError(f"{file.filename} has several outputs ({names}) and none is named; name one of them.")
    return vectors[0]
