"""Who is left out with whom. No label is looked at."""

from collections.abc import Sequence

import numpy as np


def leave_out(
    slides: Sequence[str],
    patients: Sequence[str],
    folds: int | None,
    *,
    seed: int = 0,
    fixed: Sequence[int] | None = None,
) -> dict[str, int]:
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

    Examples
    --------
    >>> leave_out(["a1", "a2", "b1"], ["a", "a", "b"], None)
    {'a1': 0, 'a2': 0, 'b1': 1}
    """
    if fixed is not None:
        order = sorted(set(fixed))
        return {slide: order.index(fold) for slide, fold in zip(slides, fixed, strict=True)}
    names = sorted(set(patients))
    group = {name: k for k, name in enumerate(names)} if folds is None else deal(patients, folds, seed=seed)
    return {slide: group[patient] for slide, patient in zip(slides, patients, strict=True)}


def deal(patients: Sequence[str], folds: int, *, seed: int) -> dict[str, int]:
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
