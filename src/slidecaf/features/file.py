"""The features file of a slide: one vector a patch, as CLAM and TRIDENT read it."""

from contextlib import contextmanager

import numpy as np

from slidecaf.errors import SlidecafError
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

    def __init__(self, file, count, dimension, check):
        self._check = check
        # chunks cannot be larger than what is stored; a slide without patches has none
        rows = min(CHUNK_ROWS, count)
        self.features = file.create_dataset(
            "features",
            (count, dimension),
            np.float16,
            **({"chunks": (rows, dimension), **PACKED} if count else {}),
        )
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
            self.features.flush()
            self._flushed = self.written
        end = start + len(features)
        self.features[start:end] = features
        self._valid[start:end] = valid
        self._check()  # a disk that is full stops the network now, and not hours later
        self.nonzero += np.count_nonzero(features[valid])
        self.written += len(features)


@contextmanager
def write_features(path, coords, dimension, *, coords_attributes, attributes, origin=None):
    """Open a features file for writing; it gets its name when the block ends without an error.

    Parameters
    ----------
    path : path-like
    coords : ndarray of int64, shape (N, 2)
    dimension : int
        D, the length of a patch's vector.
    coords_attributes : mapping
        As in the tiles file.
    attributes : mapping
        Attributes of ``features``: encoder, weights_sha256, layer, extraction, slidecaf_version, config, status.
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
        writer = FeatureWriter(file, len(coords), dimension, output.check)
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
        With datasets ``features`` (N, D), ``coords`` (N, 2) and ``valid`` (N,).

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        for name in ("features", "coords", "valid"):
            if name not in file or len(file[name]) != len(file["features"]):
                raise SlidecafError(f"{path} has no whole dataset {name!r}; delete it and run again.")
        yield file


def valid_features(file, *, rows=CHUNK_ROWS):
    """Read the features of valid patches, some rows at a time.

    Parameters
    ----------
    file : h5py.File
        From `open_features`.
    rows : int, optional
        Rows held in memory at once.

    Yields
    ------
    ndarray of float16, shape (n, D)
    """
    for start in range(0, len(file["features"]), rows):
        valid = file["valid"][start : start + rows]
        yield file["features"][start : start + rows][valid]
