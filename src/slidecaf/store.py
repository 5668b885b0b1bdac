"""Files: written beside their place, flushed and renamed; HDF5, TSV and JSON as the design fixes them.

Nothing half-written is ever seen under a final name. A file made twice from equal data is equal byte for
byte: no time of day, no absolute path, keys in a fixed order. What a later job reads is checked against the checksum
that was written with it, see `slidecaf.checksums`.
"""

import csv
import errno
import io
import json
import math
import os
import re
import secrets
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np

from slidecaf import checksums
from slidecaf.errors import SlidecafError
from slidecaf.hdf5_output import Output

STATUS_OK = "ok"
STATUS_NO_TISSUE = "no tissue"
STATUS_UNREADABLE = "unreadable"

CHUNK_ROWS = 256
"""Rows of one HDF5 chunk of features: 2 MiB at 4,096 values of 16 bit."""

PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
"""How arrays are compressed. Not by lzf: it gives other bytes for equal values now and then."""

CHUNK_CACHE = 256 * 2**20
"""Bytes of chunks that wait to be whole: more than the grid rows of one block of a dense extraction touch."""

FLUSHED = 16 * CHUNK_ROWS
"""Rows that wait to be compressed, about, while more are computed; all at once they would wait for the file's end."""


FORMULA = re.compile("'*[=+@\t\r\uff0b\uff0d\uff1d\uff20-]")
"""How a cell starts that a spreadsheet would compute, or that is marked as one that it shall not."""

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@contextmanager
def atomic(path, *, named=None):
    """Give a temporary path beside `path`; on success flush it to disk and rename it to `path`.

    Parameters
    ----------
    path : path-like
        The final name. Its folder is made where it is missing.
    named : path-like, optional
        The file that errors name, where it is another.

    Yields
    ------
    pathlib.Path
        Write here. The name starts with a dot and keeps the suffix, which some writers look at. What an
        earlier, killed writer of the same file left is removed first.

    Raises
    ------
    SlidecafError
        If there is no room for the file, or its folder cannot be written to.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".{_escape(path.stem)}.{'[0-9a-f]' * 8}.partial{_escape(path.suffix)}"):
            stale.unlink(missing_ok=True)
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    except BaseException as error:
        if not isinstance(error, SlidecafError) and (reason := _refused(error, path.parent)):
            raise SlidecafError(f"{named or path} cannot be written: {reason}") from error
        raise
    finally:
        with suppress(OSError):  # of a folder that cannot be written to, which is what the error above is about
            partial.unlink(missing_ok=True)


def _escape(name):
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_LEAVE = (errno.EROFS, errno.EACCES, errno.EPERM)


def _refused(error, folder):
    """Return why the system did not let a file be written, and what to do; None for any other error."""
    for code in (*NO_ROOM, *NO_LEAVE):
        # HDF5 says it in words only when a file is closed
        if getattr(error, "errno", None) == code or os.strerror(code) in str(error):
            said = os.strerror(code)[0].lower() + os.strerror(code)[1:]
            if code in NO_ROOM:
                return f"{said}; free some space there, or have your quota raised, and run again."
            return f"{said}; make {folder} writable, or choose other results in the config, and run again."
    return None


def _flush(path):
    """Wait until a file, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Some network file systems refuse to sync a folder; the rename itself is still whole there.
        with suppress(OSError) if path.is_dir() else _nothing():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _nothing():
    yield


def write_tsv(path, columns, rows, *, checked=True):
    """Write a table as tab-separated UTF-8 text with a header line.

    Parameters
    ----------
    path : path-like
    columns : sequence of str
        The header, in order.
    rows : iterable of mapping
        One a line. A missing key or ``None`` is an empty cell; a float is written so that it reads back
        to the same number. A text that a spreadsheet would take for a formula, and is no number, gets an apostrophe
        before it, which `read_tsv` takes off: nothing that stands in a sheet is ever computed.
    checked : bool, optional
        False for a table that people edit, which needs no checksum.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    _write_text(path, text.getvalue(), checked=checked)


def _write_text(path, text, *, checked=True):
    content = text.encode()
    if checked:  # first, so that a whole file is never without it
        with atomic(checksums.beside(path), named=path) as partial:
            partial.write_text(checksums.line(content, Path(path).name), encoding="utf-8")
    with atomic(path) as partial:
        partial.write_bytes(content)


def _read_text(path):
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise SlidecafError(f"{path} cannot be read ({error.strerror}); delete it and run again.") from error
    checksums.check(path, content)
    return content.decode()


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else repr(float(value))
    text = str(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def read_tsv(path):
    """Read a table that `write_tsv` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of dict
        Column to text.

    Raises
    ------
    SlidecafError
        If it is missing, or is not what was written.
    """
    try:
        header, *lines = csv.reader(io.StringIO(_read_text(path), newline=""), delimiter="\t", strict=True)
        return [dict(zip(header, map(_uncell, line), strict=True)) for line in lines]
    except (ValueError, csv.Error) as error:
        raise SlidecafError(f"{path} is damaged ({error}); delete it and run again.") from error


def _uncell(cell):
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def write_json(path, value):
    """Write a value as indented JSON, keys in the order given; NaN becomes null.

    Parameters
    ----------
    path : path-like
    value : dict or list
        NumPy scalars and arrays are turned into numbers and lists.
    """
    _write_text(path, json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def read_json(path):
    """Read a JSON file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict or list

    Raises
    ------
    SlidecafError
        If it is missing, is not JSON, or is not what was written.
    """
    try:
        return json.loads(_read_text(path))
    except ValueError as error:
        raise SlidecafError(f"{path} is damaged ({error}); delete it and run again.") from error


@contextmanager
def create_hdf5(path, *, origin=None):
    """Give a new HDF5 file; when the block ends without an error it gets its checksum and its name.

    Parameters
    ----------
    path : path-like
    origin : mapping, optional
        What the file says of how it was made, as attributes of its root: from `slidecaf.versions.origin`.

    Yields
    ------
    h5py.File

    Raises
    ------
    SlidecafError
        If there is no room for the file, or its folder cannot be written to.
    """
    with _new_hdf5(path, origin) as (file, _):
        yield file


@contextmanager
def _new_hdf5(path, origin, **options):
    """Give a new HDF5 file, and what it is written to, whose errors are raised here at the latest."""
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
        with h5py.File(output, "w", **options) as file:
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
        If the file, or something that is read from it within the block, is missing or damaged.
    """
    import h5py

    try:
        checksums.check_appended(path)
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError) as error:
        raise SlidecafError(f"{path} is missing or damaged ({error}); delete it and run again.") from error


def write_tiles(path, coords, attributes, *, origin=None):
    """Write where a slide's patches are.

    Parameters
    ----------
    path : path-like
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0; N may be 0.
    attributes : mapping
        Attributes of ``coords``: those that CLAM and TRIDENT read, ``status`` and ``slide_digest``.
    origin : mapping, optional
        As for `create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        _put_coords(file, coords, attributes)


def _put_coords(file, coords, attributes):
    dataset = file.create_dataset("coords", data=np.asarray(coords, np.int64).reshape(-1, 2))
    for key in sorted(attributes):
        dataset.attrs[key] = attributes[key]


def read_tiles(path):
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
        As for `create_hdf5`.

    Yields
    ------
    FeatureWriter
    """
    # Chunks that are written by rows of a block wait in memory until they are whole: each is compressed once.
    cache = {"rdcc_nbytes": CHUNK_CACHE, "rdcc_nslots": 100_003, "rdcc_w0": 1.0}
    with _new_hdf5(path, origin, **cache) as (file, output):
        _put_coords(file, coords, coords_attributes)
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


def write_pooled(path, vectors, *, patches, status, origin=None):
    """Write a slide's pooled vectors.

    Parameters
    ----------
    path : path-like
    vectors : mapping of str to ndarray of float64, shape (D,)
        Norm to vector; empty where the slide has no patch.
    patches : int
        The valid patches that were pooled.
    status : str
        ``ok``, ``no tissue`` or ``unreadable``.
    origin : mapping, optional
        As for `create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        for norm in sorted(vectors):
            file.create_dataset(norm, data=np.asarray(vectors[norm], np.float64))
        file.attrs["patches"] = patches
        file.attrs["status"] = status


def read_pooled(path, norms):
    """Read a slide's pooled vectors.

    Parameters
    ----------
    path : path-like
    norms : sequence of str
        The norms wanted, by name.

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
        return ({norm: file[norm][:] for norm in norms} if status == STATUS_OK else {}), patches, status


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
                if reason := _refused(error, path.parent):
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
