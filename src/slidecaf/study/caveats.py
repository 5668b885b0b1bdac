"""What has to be said wherever a study's numbers show."""

from collections.abc import Collection, Iterable, Mapping

from slidecaf.study.config import Settings
from slidecaf.study.kinds import CLASSIFICATION_KINDS, SEGMENTATION_KINDS
from slidecaf.study.names import sets_of

NOTES = {kind: "; ".join(of.caveats) for kind, of in {**SEGMENTATION_KINDS, **CLASSIFICATION_KINDS}.items()}
"""Kind of a method to what every table says beside it."""

RANDOM_WEIGHTS = "random weights: the network was never trained"
SYNTHETIC = "synthetic slides: drawn by slidecaf.demo, no tissue"
TRAINED_ON_THE_SAME = (
    "features of a network trained here: it learned from all training rows of a part, so that choices and "
    "probabilities inside them are too sure; left-out rows never reached it"
)
MEANINGLESS = (RANDOM_WEIGHTS, SYNTHETIC)
"""Caveats after which a score says nothing about medicine."""


def note_of(kind: str) -> str:
    """Return what every table has to say beside the methods of a kind.

    Parameters
    ----------
    kind : str

    Returns
    -------
    str
        Empty where there is nothing to say.

    Examples
    --------
    >>> note_of("mcil"), note_of("svm")
    ('reimplemented from public descriptions', '')
    """
    return NOTES.get(kind, "")


def caveats_of(
    features: Mapping[str, Settings], used: Iterable[str], rows: Iterable, made: Collection[str]
) -> list[str]:
    """Return what has to be said of feature sets and of slides.

    Parameters
    ----------
    features : mapping of str to slidecaf.study.config.Settings
        The feature sets of the config.
    used : iterable of str
        Those that a method uses, or their outputs as ``set/output``.
    rows : iterable of slidecaf.study.sheets.Row
    made : collection of str
        Paths of slides that the demo draws.

    Returns
    -------
    list of str
    """
    used = sets_of(used)
    said = [
        f"imported features ({name}): computed by {features[name].format.upper()}, not by slidecaf"
        for name in used
        if features[name].kind == "imported"
    ]
    computed = [features[name] for name in used if features[name].kind == "network"]
    if any(one.encoder.weights.startswith("random:") for one in computed):
        said.append(RANDOM_WEIGHTS)
    if any(one.trained_by for one in computed):
        said.append(TRAINED_ON_THE_SAME)
    if any(row.path in made for row in rows):
        said.append(SYNTHETIC)
    return said
