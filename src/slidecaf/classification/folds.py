"""Folds: which slides are held out together. A patient never straddles a fold."""

import re
from collections.abc import Callable
from math import ceil

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import write_tsv

_ATTEMPTS = 100


def class_indices(labels, classes, *, where="these rows") -> np.ndarray:
    """Return the place of every label in `classes`; every class must have a row.

    Parameters
    ----------
    labels : sequence of str, n of them
    classes : sequence of str, K of them
        (negative, positive) where there are two.
    where : str, optional
        What an error calls the rows.

    Returns
    -------
    ndarray of int of shape (n,)
        0 to K - 1.

    Raises
    ------
    SlidecafError
        If a label is not in `classes`, or a class has no row.
    """
    place = {name: index for index, name in enumerate(classes)}
    labels = [str(label) for label in labels]
    unknown = sorted(set(labels) - set(place))
    if unknown:
        raise SlidecafError(f"label {unknown[0]!r} is none of the classes; write {' or '.join(classes)}.")
    missing = sorted(set(place) - set(labels))
    if missing:
        raise SlidecafError(f"class {missing[0]} has no slide with tissue in {where}; add slides of it.")
    return np.array([place[label] for label in labels])


def assign_folds(labels, groups, folds, *, seed=0, fixed=None) -> np.ndarray:
    """Divide slides into folds, whole patients at a time, each with its share of every class.

    Drawn by scikit-learn's ``StratifiedGroupKFold``; the order of rows does not matter. Where that leaves
    a fold empty, or some fold's training rows without a class (patients with slides of several classes
    can bring this about), or with one patient of it where sharing them out evenly leaves two, patients are
    dealt out class by class instead, the rarest first.

    Parameters
    ----------
    labels : sequence of str, n of them
    groups : sequence of str, n of them
        The patients.
    folds : int
        At least 2. Of no account with `fixed`.
    seed : int, optional
        Of the draw.
    fixed : sequence of str or int, n of them, optional
        The sheet's ``fold`` column, which then decides. Its names, in natural order (2 before 10), become
        0, 1, ...

    Returns
    -------
    ndarray of int of shape (n,)
        The fold that holds a row out: 0 to the number of folds - 1.

    Raises
    ------
    SlidecafError
        If there is one class only, a class has fewer patients than `folds`, a fixed fold is empty text, a
        patient is in two fixed folds, some fold's training rows lack a class, or (with three classes and
        patients with slides of several) no division was found.
    """
    labels, groups = np.asarray(labels, dtype=str), np.asarray(groups, dtype=str)
    if len(set(labels)) < 2:
        raise SlidecafError(f"all training rows have the label {labels[0]}; add rows of another class.")
    if fixed is not None:
        return _fixed_folds(labels, groups, [str(name) for name in fixed])

    for name, patients in _patients(labels, groups).items():
        if len(patients) < folds:
            mend = f"set folds to {len(patients)}, or add patients" if len(patients) > 1 else "add patients"
            raise SlidecafError(
                f"class {name} has slides of {len(patients)} patient{'s' * (len(patients) > 1)} "
                f"({', '.join(patients)}), fewer than folds: {folds}; {mend}."
            )
    assigned = _draw(labels, groups, folds, seed)
    for attempt in range(_ATTEMPTS):
        # the plan promises two patients; where patients have slides of several classes it may not be possible
        enough = attempt >= _ATTEMPTS // 2 or _leaves_two(labels, groups, assigned, folds)
        if enough and len(set(assigned)) == folds and _class_never_trained(labels, assigned) is None:
            return assigned
        assigned = _deal(labels, groups, folds, [seed, attempt])
    raise SlidecafError(
        f"no division into {folds} folds was found that leaves every class in every fold's training rows, since "
        "patients have slides of several classes; fix the folds in the sheet's fold column, or add patients."
    )


def write_folds(path, rows, *, folds, seed) -> None:
    """Write ``folds.tsv``: which fold holds each training slide out.

    Parameters
    ----------
    path : path-like
        The table: slide, patient, fold.
    rows : sequence of dict
        The training rows of the sheet: slide, label, patient, and fold, which is None throughout where the sheet has
        no such column.
    folds, seed : int
        As for `assign_folds`.

    Raises
    ------
    SlidecafError
        As `assign_folds`.
    """
    assigned = assign_folds(
        [row["label"] for row in rows],
        [row["patient"] for row in rows],
        folds,
        seed=seed,
        fixed=[row["fold"] for row in rows] if rows[0]["fold"] is not None else None,
    )
    table = [{**row, "fold": int(fold)} for row, fold in zip(rows, assigned, strict=True)]
    write_tsv(path, ["slide", "patient", "fold"], table)


def _patients(labels, groups):
    """Return class to its patients, sorted; a patient counts for every class of which it has a slide."""
    return {str(name): sorted(set(groups[labels == name].tolist())) for name in np.unique(labels)}


def _draw(labels, groups, folds, seed):
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    assigned = np.empty(len(labels), dtype=int)
    for fold, (_, held_out) in enumerate(splitter.split(labels, labels, groups)):
        assigned[held_out] = fold
    return assigned


def _deal(labels, groups, folds, seed):
    """Deal each class's patients out in turn, the rarest class first."""
    generator, fold_of = np.random.default_rng(seed), {}
    for patients in sorted(_patients(labels, groups).values(), key=len):
        for patient in generator.permutation([name for name in patients if name not in fold_of]):
            fold_of[patient] = len(fold_of) % folds
    return np.array([fold_of[group] for group in groups])


def _class_never_trained(labels, assigned):
    """Return a fold and a class that has slides in this fold only, or None."""
    for name in np.unique(labels):
        held = np.unique(assigned[labels == name])
        if len(held) == 1:
            return held[0], name
    return None


def _leaves_two(labels, groups, assigned, folds):
    """Tell whether two patients of each class are left without any fold, where shared out evenly they would be."""
    for patients in _patients(labels, groups).values():
        held = np.bincount([assigned[np.flatnonzero(groups == patient)[0]] for patient in patients], minlength=folds)
        if len(patients) - held.max() < min(2, len(patients) - ceil(len(patients) / folds)):
            return False
    return True


def _fixed_folds(labels, groups, names):
    if "" in names:
        raise SlidecafError(
            f"a row of patient {groups[names.index('')]} has no fold; fill in the sheet's fold column, or "
            "leave the column out."
        )
    order = sorted(set(names), key=_natural)
    if len(order) < 2:
        raise SlidecafError(f"the sheet's fold column holds {order[0]!r} only; give two folds at least.")
    assigned = np.array([order.index(name) for name in names])
    for group in np.unique(groups):
        found = np.unique(assigned[groups == group])
        if len(found) > 1:
            raise SlidecafError(
                f"patient {group} is in folds {order[found[0]]} and {order[found[1]]}; "
                "give all of a patient's rows one fold."
            )
    lacking = _class_never_trained(labels, assigned)
    if lacking:
        fold, name = lacking
        raise SlidecafError(
            f"all slides of class {name} are in fold {order[fold]}, so that its training rows have none; "
            "spread the patients of the class over two folds at least in the sheet's fold column."
        )
    return assigned


def _natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)], name


def inner_fold_count(labels, groups, wanted) -> int | None:
    """Return how many folds training rows allow: `wanted`, or the patients of the rarest class if fewer.

    Parameters
    ----------
    labels : sequence of str, n of them
    groups : sequence of str, n of them
        The patients.
    wanted : int

    Returns
    -------
    int or None
        None where the rarest class has one patient only, and nothing can be held out.
    """
    _, patients = rarest_class(labels, groups)
    return min(wanted, len(patients)) if len(patients) > 1 else None


def check_inner_folds(labels, groups, wanted, *, method, then) -> int:
    """Return how many folds training rows allow, where something has to be chosen on them.

    Parameters
    ----------
    labels, groups, wanted
        As for `inner_fold_count`.
    method : str
        What errors call the method.
    then : str
        How the error goes on after "no cross-validation can choose": what, and what to write instead.

    Returns
    -------
    int

    Raises
    ------
    SlidecafError
        If the rarest class has one patient.
    """
    count = inner_fold_count(labels, groups, wanted)
    if count is None:
        name, patients = rarest_class(labels, groups)
        raise SlidecafError(
            f"{method}: class {name} has one patient ({patients[0]}) in the training rows, so that no "
            f"cross-validation can choose{then}, or add patients."
        )
    return count


def rarest_class(labels, groups) -> tuple[str, list]:
    """Return the class with the fewest patients (the first by name of several), and those.

    Parameters
    ----------
    labels : sequence of str, n of them
    groups : sequence of str, n of them

    Returns
    -------
    name : str
    patients : list of str
        Sorted.
    """
    patients = _patients(np.asarray(labels, dtype=str), np.asarray(groups, dtype=str))
    return min(patients.items(), key=lambda item: len(item[1]))


def judging_part(folds) -> Callable[[str], str]:
    """Return a function that tells which part never saw a slide.

    Parameters
    ----------
    folds : list of dict
        Rows of ``folds.tsv``.

    Returns
    -------
    callable
        Slide to the part that leaves it out, or ``final`` of a slide that stands in no fold.

    Examples
    --------
    >>> part = judging_part([{"slide": "a", "fold": "1"}])
    >>> part("a"), part("new")
    ('fold-1', 'final')
    """
    part_of = {row["slide"]: f"fold-{row['fold']}" for row in folds}
    return lambda slide: part_of.get(slide, "final")
