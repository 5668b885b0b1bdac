"""The matrix of patches that all models of the segmentation share, and how often each row counts in a problem."""

from dataclasses import dataclass

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.features.file import open_features
from slidecaf.segmentation.labels import read_patch_labels
from slidecaf.study.status import check_read


@dataclass(frozen=True, eq=False)
class PatchRows:
    """The patches that models learn from.

    Attributes
    ----------
    matrix : ndarray or h5py.Dataset of float16, shape (n, D)
    labels : ndarray of bool, shape (n,)
        True for necrosis.
    slides : ndarray of str, shape (n,)
    coords : ndarray of int64, shape (n, 2)
        x and y at level 0.
    grid : ndarray of bool, shape (n,)
        True on the training grid; the others are there as hard examples only.
    """

    matrix: np.ndarray
    labels: np.ndarray
    slides: np.ndarray
    coords: np.ndarray
    grid: np.ndarray


def on_grid(coords, attributes, stride) -> np.ndarray:
    """Tell which patches stand on a coarser grid.

    Parameters
    ----------
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0.
    attributes : mapping
        Of a tiles or features file: ``stride`` and ``stride_level0``.
    stride : int
        A multiple of ``stride``, in the same px.

    Returns
    -------
    ndarray of bool, shape (N,)

    Raises
    ------
    SlidecafError
        If imported patches stand on no grid, or on one that `stride` does not suit.
    """
    if not attributes.get("regular", True):
        raise SlidecafError(
            f"slide {attributes['name']}: its imported patches stand on no one grid from the upper left corner, which "
            "the segmentation needs; import features of TRIDENT, or take a feature set that slidecaf computes."
        )
    if stride % int(attributes["stride"]):
        raise SlidecafError(
            f"slide {attributes['name']}: a stride of {stride} px is no multiple of that of its patches, "
            f"{attributes['stride']} px; correct training_stride and hard_examples.stride of the method."
        )
    places = np.rint(coords / attributes["stride_level0"]).astype(np.int64)
    return (places % (stride // int(attributes["stride"])) == 0).all(axis=1)


def read_patch_rows(features, labels, *, training_stride, hard=(), on_bad_slide="exclude", room=np.empty) -> PatchRows:
    """Read the patches to learn from, slide by slide, of each file the chunks that hold one.

    Parameters
    ----------
    features : dict of str to path-like
        Training slide to its features file.
    labels : dict of str to path-like
        Slide to its labels file.
    training_stride : int
        Px of the tiling from one patch to the next.
    hard : iterable of (str, int, int), optional
        Slide, x and y of hard examples, which are read wherever they stand.
    on_bad_slide : {"fail", "exclude"}, optional
        Whether a slide that could not be read is an error here.
    room : callable, optional
        Shape and dtype to an array for the matrix: from `slidecaf.files.hdf5.scratch`, so that it may lie on disk.

    Returns
    -------
    PatchRows
        Sorted by slide. The matrix stays in 16 bit, as it is stored.

    Raises
    ------
    SlideError
        If a slide was left out as unreadable and `on_bad_slide` is ``fail``.
    SlidecafError
        If a file is damaged, or no slide has a patch, or no patch is necrosis or all are.
    """
    wanted = {}
    for slide, x, y in hard:
        wanted.setdefault(slide, set()).add((x, y))
    picked, dimension = {}, 0
    for slide in sorted(features):
        with open_features(features[slide]) as file:
            check_read(features[slide], slide, str(file["features"].attrs["status"]), on_bad_slide)
            coords, valid = file["coords"][:], file["valid"][:]
            if len(coords):
                grid = valid & on_grid(coords, file["coords"].attrs, training_stride)
                extra = valid & _among(coords, wanted.get(slide, ()))
                rows = np.flatnonzero(grid | extra)
                picked[slide] = rows, coords[rows], grid[rows], read_patch_labels(labels[slide], len(coords))[rows]
                dimension = file["features"].shape[1]
    total = sum(len(rows) for rows, *_ in picked.values())
    if not total:
        raise SlidecafError(
            "no training slide has a patch to learn from; lower tiling.white_above, or add slides with tissue."
        )
    matrix, filled = room((total, dimension), np.float16), 0
    for slide, (rows, *_) in picked.items():
        with open_features(features[slide]) as file:
            dataset = file["features"]
            chunk = dataset.chunks[0]
            for start in np.unique(rows // chunk) * chunk:
                inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + chunk)]
                matrix[filled : filled + len(inside)] = dataset[start : start + chunk][inside - start]
                filled += len(inside)
    return PatchRows(
        matrix=matrix,
        labels=np.concatenate([label for *_, label in picked.values()]),
        slides=np.repeat(list(picked), [len(rows) for rows, *_ in picked.values()]),
        coords=np.concatenate([coords for _, coords, *_ in picked.values()]),
        grid=np.concatenate([grid for _, _, grid, _ in picked.values()]),
    )


def _among(coords, wanted):
    return np.fromiter(((int(x), int(y)) in wanted for x, y in coords), bool, len(coords)) if wanted else False


def row_weights(rows, problem, hard=(), *, copies=1) -> np.ndarray:
    """Return how many times each row counts in a problem.

    Parameters
    ----------
    rows : PatchRows
    problem : Problem
    hard : iterable of (str, int, int), optional
        The hard examples of the problem's part. Those of slides that the problem leaves out do not count.
    copies : int, optional
        How many more times a hard example counts.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 for rows of slides that the problem is not trained on.
    """
    used = np.isin(rows.slides, problem.trained_on)
    weights = (used & rows.grid).astype(np.float64)
    trained_on, chosen = set(problem.trained_on), {}
    for slide, x, y in hard:
        if slide in trained_on:
            chosen.setdefault(slide, set()).add((x, y))
    for slide, wanted in chosen.items():
        own = np.flatnonzero(rows.slides == slide)
        weights[own] += copies * _among(rows.coords[own], wanted)
    return weights
