"""A model handed on: a method's final models, with all that has to be known to apply them elsewhere.

`slidecaf export model` writes such a folder as one file. A study whose config names one as ``model`` learns nothing:
these models decide on the slides of its sheets.
"""

from dataclasses import dataclass
from pathlib import Path

from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json
from slidecaf.files.versions import revisions, version
from slidecaf.study.config import Config, feature_sets
from slidecaf.study.steps import STEPS

FORMAT = 1
"""Of `STATED`; a change that older versions would misread raises it."""

STATED = "model.json"
"""The file that says what a model is."""

WEIGHTS, STAIN = "weights", "stain"
"""The folders of networks' weights, and of what stains are fitted to, within the model's."""


@dataclass(frozen=True)
class Model:
    """What a model's folder says of itself.

    Attributes
    ----------
    folder : str
        Relative to the study.
    stated : dict
        ``config`` (of the study that learned it, with one method a task), ``tasks`` (task to its method, what it
        learned from, its scores and caveats; of the classification its classes, curves and threshold too),
        ``encoders``, ``resolution``, ``revisions``, ``versions``, ``slidecaf_version`` and ``files``.
    """

    folder: str
    stated: dict

    @property
    def classes(self) -> list[str]:
        """The classes of its classification, as `slidecaf.study.checked.Study` has them; none where it has none."""
        return self.stated["tasks"].get("classification", {}).get("classes", [])

    @property
    def calibration(self) -> dict:
        """What makes probabilities of the final model's confidences: ``curves``, and ``threshold`` or None."""
        return {key: self.stated["tasks"]["classification"][key] for key in ("curves", "threshold")}

    def caveats(self, task: str) -> list[str]:
        """Return what has to be said wherever a task's predictions show.

        Parameters
        ----------
        task : str

        Returns
        -------
        list of str
        """
        return self.stated["tasks"][task]["caveats"]


def read_model(folder) -> Model:
    """Read what a model's folder says.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    Model

    Raises
    ------
    SlidecafError
        If there is no model, or a later version of slidecaf wrote it.
    """
    path = Path(folder) / STATED
    if not path.is_file():
        raise SlidecafError(f"config.yaml: model: {path} is missing; make the folder with: slidecaf predict MODEL.zip")
    return Model(str(folder), check_format(read_json(path), path))


def check_format(stated, source) -> dict:
    """Make sure that this version of slidecaf can read what a model says.

    Parameters
    ----------
    stated : dict
    source : path-like
        For the error.

    Returns
    -------
    dict
        `stated`.

    Raises
    ------
    SlidecafError
        If it cannot.
    """
    if not isinstance(stated, dict) or "format" not in stated:
        raise SlidecafError(f"{source} is no model of slidecaf; take the file that slidecaf export model wrote.")
    if stated["format"] != FORMAT:
        raise SlidecafError(
            f"{source}: slidecaf {stated.get('slidecaf_version', '')} wrote this model in format {stated['format']}, "
            f"and {version()} reads format {FORMAT}; install the version that wrote it."
        )
    return stated


def predicting_revisions(config: Config) -> dict[str, int]:
    """Return the revisions of the packages that decide what a study's final models say of a slide.

    Parameters
    ----------
    config : slidecaf.study.config.Config

    Returns
    -------
    dict of str to int
    """
    steps = set()
    for name in {name for task in config.tasks() for name in config.feature_sets_of(task)}:
        features = config.features[name]
        made = "manual_features" if features.kind == "manual" else "features"
        steps |= {"whole_features"} if features.is_whole else {"tiles", made}
    if config.classification and config.classification.patch_sets:
        steps.add("tiles")
    packages = set()
    for method in config.methods("classification").values():
        steps |= {"pooled": {"pooling", "decisions"}, "images": {"network_decisions"}}.get(
            method.about.reads, {"decisions"}
        )
        packages |= set(method.about.packages)
    for method in config.methods("segmentation").values():
        steps |= {"segment", "predict"} if feature_sets(method) else {"segment", "regions", "region_maps"}
    return revisions(*sorted(packages.union(*(STEPS[step][0] for step in steps))))


def check_revisions(model: Model, config: Config) -> None:
    """Make sure that a model would decide here as it did in its study.

    Parameters
    ----------
    model : Model
    config : slidecaf.study.config.Config
        Of the study that predicts.

    Raises
    ------
    SlidecafError
        If a package computes otherwise by now.
    """
    here, there = predicting_revisions(config), model.stated["revisions"]
    other = [
        f"{name} ({there.get(name)} there, {number} here)" for name, number in here.items() if there.get(name) != number
    ]
    if other:
        raise SlidecafError(
            f"{model.folder}: slidecaf {model.stated['slidecaf_version']} made this model, and {version()} computes "
            f"otherwise, in {', '.join(other)}; install slidecaf {model.stated['slidecaf_version']}, or run the study "
            "again with this version and export its model anew."
        )
