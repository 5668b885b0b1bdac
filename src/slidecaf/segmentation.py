"""The segmentation task's parts: who is left out of which model, and the matrix that all models share.

A part is a group of patients left out (``fold-0``, ``fold-1``, ...), or ``final``, which leaves out none. Within a
part, inner models leave out a further fold of the other patients, and map it.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from slidecaf import store
from slidecaf.confidence import read_map
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.labels import read_patch_labels, read_truth

FINAL = "final"


def leave_out(slides, patients, folds, *, seed=0, fixed=None):
    """Divide slides into groups that are left out in turn, without a look at any label.

    Parameters
    ----------
    slides, patients : sequence of str, n of them
    folds : int or None
        How many groups; None makes each patient one.
    seed : int, optional
        Of the draw.
    fixed : sequence of int, n of them, optional
        The sheet's folds, which then decide; counted from 0 in their order.

    Returns
    -------
    dict of str to int
        Slide to its group.
    """
    if fixed is not None:
        order = sorted(set(fixed))
        return {slide: order.index(fold) for slide, fold in zip(slides, fixed, strict=True)}
    names = sorted(set(patients))
    group = {name: k for k, name in enumerate(names)} if folds is None else deal(patients, folds, seed=seed)
    return {slide: group[patient] for slide, patient in zip(slides, patients, strict=True)}


def deal(patients, folds, *, seed):
    """Deal patients into folds of about as many slides each.

    Parameters
    ----------
    patients : sequence of str
        One a slide.
    folds : int
        From 1; there are as many as patients at most.
    seed : int

    Returns
    -------
    dict of str to int
        Patient to fold, 0 to folds - 1.
    """
    names, counts = np.unique(np.asarray(patients, str), return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    held, fold_of = np.zeros(min(folds, len(names)), int), {}
    for k in order:
        fold = int(held.argmin())
        fold_of[str(names[k])] = fold
        held[fold] += counts[k]
    return fold_of


@dataclass(frozen=True)
class Problem:
    """One set of slides that models are trained on, for every C.

    Attributes
    ----------
    part : str
    inner : int or None
        The inner fold that is left out beside the part's own slides.
    trained_on, mapped : tuple of str
        Slides; what the models map was never seen by them. An inner model maps its fold, the model of a part the
        part's slides, the final model none of the training slides.
    """

    part: str
    inner: int | None
    trained_on: tuple
    mapped: tuple


def problems(groups, patients, inner_folds, *, seed):
    """List every problem of a method.

    Parameters
    ----------
    groups : dict of str to int
        Training slide to the group that it is left out with.
    patients : dict of str to str
        Slide to patient.
    inner_folds : int
        Fewer where a part has fewer other patients.
    seed : int

    Returns
    -------
    list of Problem
        For each part its inner folds and then the part itself; last the final model. Inner folds too look at no label.
    """
    slides, listed = sorted(groups), []
    for group in sorted(set(groups.values())):
        part = f"fold-{group}"
        own = tuple(slide for slide in slides if groups[slide] == group)
        others = tuple(slide for slide in slides if groups[slide] != group)
        fold_of = deal([patients[slide] for slide in others], inner_folds, seed=seed)
        for inner in sorted(set(fold_of.values())):
            held = tuple(slide for slide in others if fold_of[patients[slide]] == inner)
            listed.append(Problem(part, inner, tuple(slide for slide in others if slide not in held), held))
        listed.append(Problem(part, None, others, own))
    return [*listed, Problem(FINAL, None, tuple(slides), ())]


def problems_of(folds, inner_folds, *, seed):
    """List every problem of a method, from its table of who is left out.

    Parameters
    ----------
    folds : list of dict
        Rows of ``folds.tsv``: slide, patient, fold.
    inner_folds, seed : int
        As for `problems`.

    Returns
    -------
    list of Problem
    """
    groups = {row["slide"]: int(row["fold"]) for row in folds}
    return problems(groups, {row["slide"]: row["patient"] for row in folds}, inner_folds, seed=seed)


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


def on_grid(coords, attributes, stride):
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


def read_patch_rows(features, labels, *, training_stride, hard=(), on_bad_slide="exclude", room=np.empty):
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
        Shape and dtype to an array for the matrix: from `slidecaf.store.scratch`, so that it may lie on disk.

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
        with store.open_features(features[slide]) as file:
            if str(file["features"].attrs["status"]) == store.STATUS_UNREADABLE and on_bad_slide == "fail":
                raise SlideError(
                    f"slide {slide}: it could not be read and was left out of {features[slide]} while on_bad_slide "
                    "was exclude. Replace the slide, or set on_bad_slide to exclude again."
                )
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
        with store.open_features(features[slide]) as file:
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


def row_weights(rows, problem, hard=(), *, copies=1):
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


def choice_slides(part, folds, maps, labels):
    """Return the slides on whose maps a part's C and threshold are chosen.

    For a part that leaves slides out, these are all others, by its inner models. For the final model they are all
    training slides, by the models of the parts that leave them out.

    Parameters
    ----------
    part : str
    folds : list of dict
        Rows of ``folds.tsv``.
    maps, labels : iterable of path-like
        Files ``{slide}.h5``, of these slides at least.

    Returns
    -------
    list of slidecaf.map_choice.Judged
        Sorted by slide; slides that could not be opened have no map and are not among them.
    """
    from slidecaf.map_choice import Judged  # here: SciPy, which a plan and each job of a cluster would load too

    group = {row["slide"]: f"fold-{row['fold']}" for row in folds}
    map_of, labels_of = ({Path(path).stem: path for path in paths} for paths in (maps, labels))
    judged = []
    for slide in sorted(slide for slide in group if group[slide] != part):
        truth = read_truth(labels_of[slide])
        if truth is not None:
            mapped_by = group[slide] if part == FINAL else part
            read = partial(read_map, map_of[slide], mapped_by)
            judged.append(Judged(slide, truth.cells, truth.necrosis, read))
    return judged
