"""HDF5 files: compressed alike, each with its checksum, and room for arrays that exceed memory."""

import math
import os
import secrets
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files import checksums
from slidecaf.files.atomic import atomic, refused
from slidecaf.files.faults import unread
from slidecaf.files.hdf5_output import Output

CHUNK_ROWS = 256
"""Rows of one HDF5 chunk of features: 2 MiB at 4,096 values of 16 bit."""

PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
"""How arrays are compressed. Not by lzf: it gives other bytes for equal values now and then."""


@contextmanager
def create_hdf5(path, *, origin=None):
    """Give a new HDF5 file; when the block ends without an error it gets its checksum and its name.

    Parameters
    ----------
    path : path-like
    origin : mapping, optional
        What the file says of how it was made, as attributes of its root: from `slidecaf.files.versions.origin`.

    Yields
    ------
    h5py.File

    Raises
    ------
    SlidecafError
        If there is no room for the file, or its folder cannot be written to.
    """
    with new_hdf5(path, origin) as (file, _):
        yield file


@contextmanager
def new_hdf5(path, origin, **options):
    """Give a new HDF5 file and what it is written to.

    Parameters
    ----------
    path : path-like
    origin : mapping or None
        As for `create_hdf5`.
    **options
        Of `h5py.File`.

    Yields
    ------
    h5py.File
    slidecaf.files.hdf5_output.Output
        Its ``check`` raises what went wrong while writing, at the end of the block at the latest.
    """
    with atomic(path) as partial:
        with _hdf5_output(partial, **options) as (file, output):
            for key, value in (origin or {}).items():
                file.attrs[key] = value
            yield file, output
            file.flush()
            output.check()
            packed = checksums.packed_chunks(file)
        checksums.append(partial, packed)


@contextmanager
def _hdf5_output(path, **options):
    """Let HDF5 write to a file of ours; what went wrong there is raised, rather than what HDF5 made of it."""
    import h5py

    output = Output(path)
    try:
        with h5py.File(output, "w", locking=False, **options) as file:
            yield file, output
        output.check()
    except Exception:
        output.check()
        raise
    finally:
        output.close()


@contextmanager
def open_hdf5(path):
    """Open an HDF5 file for reading; what is wrong with the file becomes a `SlidecafError` that names it.

    It is compared with its checksum before HDF5 sees it.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    h5py.File

    Raises
    ------
    SlidecafError
        If the file, or something that is read from it within the block, is missing, damaged, or not given by the
        machine.
    """
    import h5py

    try:
        checksums.check_appended(path)
        with h5py.File(path, "r", locking=False) as file:  # whole since it was renamed; not all disks have locks
            yield file
    except (OSError, KeyError, MemoryError) as error:
        raise unread(path, error) from error


def put_array(file, name, values):
    """Store an array, compressed where there is something to compress.

    Parameters
    ----------
    file : h5py.File
    name : str
    values : ndarray
    """
    sides = [1] * (values.ndim - 2) + [min(CHUNK_ROWS, size) for size in values.shape[-2:]]
    packed = {"chunks": tuple(sides), **PACKED} if values.size else {}
    file.create_dataset(name, data=values, **packed)


@contextmanager
def scratch(folder, memory):
    """Give room for large arrays: in memory, or beyond that in a file without a name, which ends with the block.

    Parameters
    ----------
    folder : path-like
        Where the file would be; it is made where it is missing.
    memory : int
        Bytes that an array may take in memory.

    Yields
    ------
    callable
        Shape (n, D) and dtype to an ndarray or an h5py.Dataset, not filled.

    Raises
    ------
    SlidecafError
        If there is no room on the disk: all of it is taken before the first row is written.
    """
    with ExitStack() as opened:

        def room(shape, dtype):
            size = math.prod(shape) * np.dtype(dtype).itemsize
            if size <= memory:
                return np.empty(shape, dtype)
            path = Path(folder) / f".rows.{secrets.token_hex(4)}.h5"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file, output = opened.enter_context(_hdf5_output(path))
                path.unlink()  # open, it is there for us; whatever ends us, it is gone
                rows = _placed(file, "rows", shape, dtype)
                os.posix_fallocate(output.fileno(), rows.id.get_offset(), size)
            except OSError as error:
                if reason := refused(error, path.parent):
                    kind = f"{size / 2**30:.1f} GiB of rows that exceed half of the config's memory"
                    raise SlidecafError(f"{path.parent}: {kind} cannot be written: {reason}") from error
                raise
            return rows

        yield room


def _placed(file, name, shape, dtype):
    """Make a dataset that has its place in the file at once."""
    import h5py

    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple(shape)
    made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)), space, properties)
    return h5py.Dataset(made)
