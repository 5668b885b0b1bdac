"""What names in a config may be: of slides, feature sets and methods, which become files; of a network's weights.

Jobs import this alone, without the models of the whole config.
"""

import difflib
import re
from collections.abc import Sequence

NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Slide ids, feature-set and method names: they become file names."""

TASKS = ("classification", "segmentation")

TIMM = "timm/"
"""Before the names of timm's networks."""

HUB = "hf-hub:"
"""Before the names of weights on Hugging Face's hub, as timm writes it."""


def is_timm(model) -> bool:
    """Tell whether a config's ``model`` is one of timm's.

    Parameters
    ----------
    model : str

    Returns
    -------
    bool
    """
    return model.startswith(TIMM)


TRAINED = "trained:"
"""In front of the method of the study whose networks, one a part, a feature set is computed by."""


def trained_by(weights: str) -> str:
    """Return the method that trains an encoder's weights, or nothing for weights that come from elsewhere.

    Parameters
    ----------
    weights : str
        The config's.

    Returns
    -------
    str

    Examples
    --------
    >>> trained_by("trained:fine-tuned"), trained_by("IMAGENET1K_V1")
    ('fine-tuned', '')
    """
    return weights.removeprefix(TRAINED) if weights.startswith(TRAINED) else ""


def set_of_part(features: str, part: str) -> str:
    """Return what a feature set is called that is computed by a part's network; the final one's has the plain name.

    Parameters
    ----------
    features, part : str

    Returns
    -------
    str

    Examples
    --------
    >>> set_of_part("tuned", "fold-0"), set_of_part("tuned", "final")
    ('tuned@fold-0', 'tuned')
    """
    return features if part == "final" else f"{features}@{part}"


def split_part(features: str) -> tuple[str, str]:
    """Return the feature set of the config, and the fold whose network computes it.

    Parameters
    ----------
    features : str
        As the config names it, or from `set_of_part`.

    Returns
    -------
    (str, str)
        The fold is empty of the final network's, and of a set that is the same for all parts.

    Examples
    --------
    >>> split_part("tuned@fold-0"), split_part("tuned")
    (('tuned', 'fold-0'), ('tuned', ''))
    """
    name, _, fold = features.partition("@")
    return name, fold


def is_weights_file(weights, model="") -> bool:
    """Tell whether a config's ``weights`` name a file.

    Parameters
    ----------
    weights : str
    model : str, optional
        The config's. With one of timm's a word without a dot and a slash is a tag of its weights.

    Returns
    -------
    bool
        True for anything that is neither ``random:SEED``, nor ``trained:METHOD``, nor a torchvision weights name such
        as ``IMAGENET1K_V1`` or ``AlexNet_Weights.IMAGENET1K_V1``; with timm nor a tag, nor on the hub.

    Examples
    --------
    >>> [is_weights_file(weights) for weights in ("random:0", "IMAGENET1K_V1", "networks/own.pth")]
    [False, False, True]
    >>> [is_weights_file(weights, "timm/vit_small_patch14_dinov2") for weights in ("lvd142m", "hf-hub:a/b", "own.pth")]
    [False, False, True]
    """
    if weights.startswith(("random:", TRAINED)):
        return False
    if is_timm(model):
        return not weights.startswith(HUB) and not re.fullmatch(r"\w+", weights)
    return not re.fullmatch(r"(\w+_Weights\.)?[A-Z][A-Z0-9_]*", weights)


def split_output(name) -> tuple[str, str]:
    """Return the feature set and the output that a method names.

    Parameters
    ----------
    name : str

    Returns
    -------
    (str, str)
        The output is empty where the set has one.

    Examples
    --------
    >>> split_output("vgg-544/fc2"), split_output("cnn-336")
    (('vgg-544', 'fc2'), ('cnn-336', ''))
    """
    features, _, output = name.partition("/")
    return features, output


def sets_of(names) -> list[str]:
    """Return the feature sets that some names are of, each once.

    Parameters
    ----------
    names : iterable of str
        Feature sets, or ``set/output``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> sets_of(["vgg/fc1", "cnn", "vgg/fc2"])
    ['vgg', 'cnn']
    """
    return list(dict.fromkeys(split_output(name)[0] for name in names))


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


def confidence_columns(classes: Sequence[str], of: str = "confidence") -> list[str]:
    """Return what tables call the confidences: one column of two classes, one a class of more.

    Parameters
    ----------
    classes : sequence of str
    of : str, optional
        Or ``probability``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> confidence_columns(["a", "b"]), confidence_columns(["a", "b", "c"])
    (['confidence'], ['confidence_a', 'confidence_b', 'confidence_c'])
    """
    return [of] if len(classes) == 2 else [f"{of}_{label}" for label in classes]
