"""The segmentation task's parts: who is left out of which model, and on whose maps a part's setting is chosen.

A part is a group of patients left out (``fold-0``, ``fold-1``, ...), or ``final``, which leaves out none. Within a
part, inner models leave out a further fold of the other patients, and map it.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from slidecaf.segmentation.labels import read_truth
from slidecaf.segmentation.maps import read_map

FINAL = "final"


def leave_out(slides, patients, folds, *, seed=0, fixed=None) -> dict:
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


def deal(patients, folds, *, seed) -> dict:
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


def problems(groups, patients, inner_folds, *, seed) -> list:
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


def problems_of(folds, inner_folds, *, seed) -> list:
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


def choice_slides(part, folds, maps, labels) -> list:
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
    list of slidecaf.segmentation.choice.Judged
        Sorted by slide; slides that could not be opened have no map and are not among them.
    """
    from slidecaf.segmentation.choice import (
        Judged,  # here: SciPy, which a plan and each job of a cluster would load too
    )

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
