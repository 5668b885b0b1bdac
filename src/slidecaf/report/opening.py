"""What a study does, and with what, in a few words: how its report begins."""

from pathlib import Path

from slidecaf.study.config import Config, FeatureSettings, Settings, feature_sets

ELSEWHERE, RANDOM = "a network that was trained elsewhere", "a network that was never trained"

OF_SET = {"manual": "values made by hand", "imported": "features that another program computed"}
"""What a kind of feature set other than a network's is called here."""


def opening(config: Config, images: bool) -> str:
    """Say what a study does and with what.

    Parameters
    ----------
    config : slidecaf.study.config.Config
    images : bool
        Whether its rows are images, and no slides.

    Returns
    -------
    str
        What stands behind "slidecaf, which ".
    """
    classified, mapped = (config.methods(task) for task in ("classification", "segmentation"))
    does = []
    if classified:
        does.append("tells classes of images apart" if images else "tells classes of whole slides apart")
    if mapped:
        does.append("maps necrosis in slides")
    methods = [*classified.values(), *mapped.values()]
    means = dict.fromkeys(_means(method, config.features) for method in methods)
    return f"{' and '.join(does)}, with {_listed(list(means))}"


def _means(method: Settings, features: dict[str, FeatureSettings]) -> str:
    """Name what decides, and on what."""
    if method.kind == "graph-rlm":
        return "regions of like texture"
    if not (used := feature_sets(method)):
        return _begun(method)
    decides = "linear support vector machines" if method.kind == "svm" else f"classifiers of kind {method.kind}"
    return f"{decides} on {_listed(list(dict.fromkeys(_source(features[name]) for name in used)))}"


def _begun(method: Settings) -> str:
    """Say what a network that is trained here begins with."""
    if method.weights is None:
        return f"a network trained here from scratch ({method.architecture})"
    return f"a network fine-tuned here from {Path(method.weights).name} ({method.architecture})"


def _source(chosen: FeatureSettings) -> str:
    if chosen.kind != "network":
        return OF_SET[chosen.kind]
    if chosen.trained_by:
        return "features of networks trained here"
    return f"features of {RANDOM if chosen.encoder.weights.startswith('random:') else ELSEWHERE}"


def _listed(words):
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
