"""Candidates of a method: what tells the models of a part, and so its maps, apart.

Of an SVM that is C, and its context where this has candidates. Other kinds have settings of their own in its place, and
may have several.
"""

from itertools import product

import numpy as np

SIZES = ("smooth", "min_object", "max_hole")
"""Settings of what is done to a map, beside the threshold; all others say by which models it was made."""


def model_keys(settings) -> list[str]:
    """Return the settings that say by which models a map was made: ``C`` of an SVM.

    Parameters
    ----------
    settings : iterable of str
        Keys of a grid, or of what was chosen.

    Returns
    -------
    list of str
        Sorted.
    """
    return sorted(set(settings) - {*SIZES, "threshold"})


def models_of(grid) -> list:
    """List what tells the models of a grid apart.

    Parameters
    ----------
    grid : mapping of str to list

    Returns
    -------
    list
        Each C of an SVM; of kinds with several such settings each combination as a tuple, in the order of `model_keys`.
    """
    keys = model_keys(grid)
    return [model_of(dict(zip(keys, values, strict=True))) for values in product(*(grid[key] for key in keys))]


def model_of(chosen):
    """Return what tells the models of a setting apart; as `models_of`.

    Parameters
    ----------
    chosen : mapping
        Of ``choice.json``, or another setting.

    Returns
    -------
    float or tuple

    Examples
    --------
    >>> model_of({"C": 0.1, "smooth": 0, "threshold": 0.5, "min_object": 0, "max_hole": 0})
    0.1
    >>> model_of({"clusters": 4, "comp_thr": 100, "smooth": 0})
    (4, 100)
    """
    values = tuple(chosen[key] for key in model_keys(chosen))
    return values[0] if len(values) == 1 else values


def put_told(attributes, models) -> None:
    """Say in a file what tells its models apart, by the attribute ``C``; of a context by ``context`` beside it.

    Parameters
    ----------
    attributes : h5py.AttributeManager
    models : sequence
        As `models_of` gives them.
    """
    if any(isinstance(model, tuple) and isinstance(model[-1], str) for model in models):
        models, contexts = zip(*models, strict=True)
        attributes["context"] = list(contexts)
    attributes["C"] = np.asarray(models, np.float64)


def read_told(attributes) -> list:
    """Return what tells the models of a file apart.

    Parameters
    ----------
    attributes : h5py.AttributeManager
        That `put_told` wrote.

    Returns
    -------
    list
        As `models_of` gives them.
    """
    values = attributes["C"].tolist()
    if "context" in attributes:
        return list(zip(values, attributes["context"].tolist(), strict=True))
    return [tuple(value) if isinstance(value, list) else value for value in values]
