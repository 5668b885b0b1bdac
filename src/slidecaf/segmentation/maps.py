"""Confidence maps: each pixel's mean confidence over the patches that contain it (paper, section 3.3)."""

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.hdf5 import create_hdf5, open_hdf5, put_array
from slidecaf.segmentation.candidates import put_told, read_told
from slidecaf.segmentation.solver.row_blocks import widen

STRIP_ROWS = 1024
"""Rows of cells whose sums are held at once."""

SCORED_ROWS = 2048
"""Patches that are scored at once."""


def confidences(file, coef, intercept) -> np.ndarray:
    """Let linear models judge the patches of a slide, in one pass over its features.

    Parameters
    ----------
    file : h5py.File
        From `slidecaf.features.file.open_features`.
    coef : ndarray of float64, shape (M, D)
    intercept : ndarray of float64, shape (M,)

    Returns
    -------
    ndarray of float32, shape (M, N)
        One row a model; NaN where a patch is not valid.

    Raises
    ------
    SlidecafError
        If a valid patch's confidence is infinite or not a number: box sums would spread it over the map.
    """
    try:
        return judge_rows(file["features"], file["valid"], coef, intercept)
    except SlidecafError as error:
        raise SlidecafError(f"{file.filename}: {error} Delete it and its models and run again.") from error


def judge_rows(features, valid, coef, intercept) -> np.ndarray:
    """Let linear models judge patches, block by block.

    Parameters
    ----------
    features : ndarray or h5py.Dataset of float16, shape (N, D)
    valid : ndarray or h5py.Dataset of bool, shape (N,)
    coef : ndarray of float64, shape (M, D)
    intercept : ndarray of float64, shape (M,)

    Returns
    -------
    ndarray of float32, shape (M, N)
        As `confidences` returns it.

    Raises
    ------
    SlidecafError
        If a valid patch's confidence is infinite or not a number.
    """
    writer = ConfidenceWriter(len(features), coef, intercept)
    for start in range(0, len(features), SCORED_ROWS):
        block = slice(start, start + SCORED_ROWS)
        writer.append(features[block], valid[block])
    return writer.values


class ConfidenceWriter:
    """Takes features as a features file does, and keeps what linear models say of them.

    Parameters
    ----------
    count : int
        N, the patches.
    coef : ndarray of float64, shape (M, D)
    intercept : ndarray of float64, shape (M,)

    Attributes
    ----------
    values : ndarray of float32, shape (M, N)
        NaN where a patch is not valid.
    written, nonzero : int
        Rows, and values that are not zero, so far.
    """

    def __init__(self, count, coef, intercept):
        self._coef, self._intercept = coef, intercept
        self.values = np.full((len(coef), count), np.nan, np.float32)
        self.written, self.nonzero = 0, 0

    def append(self, features, valid) -> None:
        """Take the rows after those taken last; as `write`."""
        self.write(self.written, features, valid)

    def write(self, start, features, valid) -> None:
        """Take rows anywhere, each once.

        Parameters
        ----------
        start : int
            The first row.
        features : ndarray of float16, shape (n, D)
        valid : ndarray of bool, shape (n,)

        Raises
        ------
        SlidecafError
            If a valid patch's confidence is infinite or not a number: box sums would spread it over the map.
        """
        # double precision, so that what the number of threads does to the last bits is rounded away
        judged = (widen(features).astype(np.float64) @ self._coef.T + self._intercept).T[:, valid]
        _keep(self.values[:, start : start + len(features)], judged, valid)
        self.nonzero += np.count_nonzero(features[valid])
        self.written += len(features)


class JudgedWriter(ConfidenceWriter):
    """Takes what the models said of patches already, on a GPU, in place of features."""

    def write(self, start, judged, valid) -> None:
        """Take rows anywhere, each once.

        Parameters
        ----------
        start : int
            The first row.
        judged : ndarray of float64, shape (n, M + 1)
            Confidences, and how many of the patch's features are not zero.
        valid : ndarray of bool, shape (n,)

        Raises
        ------
        SlidecafError
            If a valid patch's confidence is infinite or not a number.
        """
        _keep(self.values[:, start : start + len(judged)], judged[:, :-1].T[:, valid], valid)
        self.nonzero += int(judged[valid, -1].sum())
        self.written += len(judged)


def _keep(values, judged, valid):
    """Put the confidences of valid patches among all, rounded to 32 bit."""
    if not (np.abs(judged) <= np.finfo(np.float32).max).all():
        raise SlidecafError("a confidence is infinite or not a number.")
    values[:, valid] = judged


def confidence_map(cells, coords, patch_size, values) -> np.ndarray:
    """Average the confidences of the patches over each cell, by box sums of a difference array.

    A patch adds its confidence at two corners of the array and takes it off at the other two; sums along both axes
    then give each cell the sum over the patches that contain it. The cost is that of patches and cells, whatever the
    size of a patch is.

    Parameters
    ----------
    cells : slidecaf.segmentation.cells.Cells
        Of these patches.
    coords : ndarray of int64, shape (N, 2)
        x and y of the patches at level 0, sorted by y.
    patch_size : int
        The side of a patch in px of level 0.
    values : ndarray, shape (N,)
        The patches' confidences, finite; NaN where a patch is not valid.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        NaN where no valid patch is.
    """
    valid = ~np.isnan(values)
    values = values[valid].astype(np.float64)
    left, right, top, bottom = cells.spans(coords[valid], patch_size)
    rows, columns = cells.shape
    result = np.empty((rows, columns), np.float32)
    for start in range(0, rows, STRIP_ROWS):
        stop = min(rows, start + STRIP_ROWS)
        # patches are sorted by y, so that those of a strip follow on one another
        inside = slice(np.searchsorted(bottom, start, side="right"), np.searchsorted(top, stop))
        above, below = (np.clip(side[inside], start, stop) - start for side in (top, bottom))
        corners = [(above, left, 1), (above, right, -1), (below, left, -1), (below, right, 1)]

        def sums(weight, shape=(stop - start + 1, columns + 1), corners=corners, inside=inside):
            difference = np.zeros(shape[0] * shape[1])
            for row, column, sign in corners:
                difference += sign * np.bincount(row * shape[1] + column[inside], weight, len(difference))
            return difference.reshape(shape).cumsum(axis=0).cumsum(axis=1)[:-1, :-1]

        count = np.rint(sums(np.ones(inside.stop - inside.start)))
        with np.errstate(invalid="ignore", divide="ignore"):
            result[start:stop] = np.where(count > 0, sums(values[inside]) / count, np.nan)
    return result


def write_maps(path, maps, *, status, origin=None) -> None:
    """Write the maps of a slide by every model that never saw it.

    Parameters
    ----------
    path : path-like
    maps : iterable of (str, list, iterable of ndarray of float32)
        A part, its values of C, or what else tells models apart, and a map for each of them; none where the slide could
        not be opened.
    status : str
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        file.attrs["status"] = status
        for part, C, values in maps:
            group = file.create_group(part)
            put_told(group.attrs, C)
            for k, value in enumerate(values):
                put_array(group, str(k), value)


def read_map(path, part, C) -> np.ndarray:
    """Read one map of a slide.

    Parameters
    ----------
    path : path-like
    part : str
        The part whose models mapped it.
    C : float or tuple
        Or what else tells the models apart, as `slidecaf.segmentation.candidates.model_of` gives it.

    Returns
    -------
    ndarray of float32, shape (rows, columns)

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, or has no such map.
    """
    with open_hdf5(path) as file:
        known = read_told(file[part].attrs)
        if C not in known:
            raise SlidecafError(f"{path} has no map for C = {C}; delete it and run again.")
        return file[f"{part}/{known.index(C)}"][:]


def write_confidences(path, values, *, C, origin=None) -> None:
    """Write what the final models say of a slide's patches.

    Parameters
    ----------
    path : path-like
    values : mapping of str to ndarray of float32, shape (C values, N)
        Variant to confidences.
    C : sequence of float or of tuple
        What tells models apart, as `slidecaf.segmentation.candidates.models_of` gives it.
    origin : mapping, optional
        As for `slidecaf.files.hdf5.create_hdf5`.
    """
    with create_hdf5(path, origin=origin) as file:
        put_told(file.attrs, C)
        for variant in sorted(values):
            put_array(file, variant, values[variant])


def read_confidences(path, variant, C) -> np.ndarray:
    """Read the confidences of one variant's final model.

    Parameters
    ----------
    path : path-like
    variant : str
    C : float or tuple
        As for `read_map`.

    Returns
    -------
    ndarray of float32, shape (N,)

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, or has no such model.
    """
    with open_hdf5(path) as file:
        known = read_told(file.attrs)
        if C not in known:
            raise SlidecafError(f"{path} has no confidences for C = {C}; delete it and run again.")
        return file[variant][known.index(C)]
