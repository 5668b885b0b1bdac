"""The segmentation task's parts: who is left out of which model.

A part is a group of patients left out (``fold-0``, ``fold-1``, ...), or ``final``, which leaves out none. Within a
part, inner models leave out a further fold of the other patients, and map it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slidecaf.files.tables import write_tsv
from slidecaf.study.groups import deal

FINAL = "final"


def write_groups(path, rows: Iterable[Mapping], groups: Mapping[str, int]) -> None:
    """Write ``folds.tsv``: which training slides are left out together.

    Parameters
    ----------
    path : path-like
    rows : iterable of mapping
        slide and patient.
    groups : mapping of str to int
        Slide to its group, by `slidecaf.study.groups.leave_out`.
    """
    write_tsv(path, ["slide", "patient", "fold"], [{**row, "fold": groups[row["slide"]]} for row in rows])


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
