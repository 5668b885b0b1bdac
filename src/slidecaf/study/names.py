"""What names in a config may be: of slides, feature sets and methods, which become files; of a network's weights.

Jobs import this alone, without the models of the whole config.
"""

import difflib
import re

NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Slide ids, feature-set and method names: they become file names."""

TASKS = ("classification", "segmentation")


def is_weights_file(weights) -> bool:
    """Tell whether a config's ``weights`` name a file.

    Parameters
    ----------
    weights : str

    Returns
    -------
    bool
        True for anything that is neither ``random:SEED`` nor a torchvision weights name such as
        ``IMAGENET1K_V1`` or ``AlexNet_Weights.IMAGENET1K_V1``.

    Examples
    --------
    >>> [is_weights_file(weights) for weights in ("random:0", "IMAGENET1K_V1", "networks/own.pth")]
    [False, False, True]
    """
    named = re.fullmatch(r"(\w+_Weights\.)?[A-Z][A-Z0-9_]*", weights)
    return not weights.startswith("random:") and not named


def near(name, known, *, cutoff=0.6) -> str:
    """Return a question after the known name that is most like `name`, or nothing where none is.

    Parameters
    ----------
    name : str
    known : iterable of str
    cutoff : float, optional
        How like it has to be, from 0 to 1.

    Returns
    -------
    str

    Examples
    --------
    >>> near("featurs", ["results", "features"])
    ', did you mean features?'
    """
    close = difflib.get_close_matches(str(name), list(map(str, known)), n=1, cutoff=cutoff)
    return f", did you mean {close[0]}?" if close else ""
