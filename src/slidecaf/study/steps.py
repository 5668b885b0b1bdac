"""What the rules of the workflow run: whose revision and whose version a rule's results depend on."""

from collections.abc import Collection

from slidecaf.files.versions import revisions, version
from slidecaf.study.kinds import ClassificationKind

STEPS = {
    "study": (
        [
            "classification",
            "classification.fisher",
            "classification.mcil",
            "demo",
            "exchange",
            "features",
            "pooling",
            "pooling.fisher",
            "report",
            "scores",
            "segmentation",
            "segmentation.graph_rlm",
            "segmentation.solver",
            "slides",
            "tiles",
            "training",
        ],
        [],
    ),
    "demo": (["demo"], []),
    "demo_collection": (["demo"], []),
    "tiles": (["slides", "tiles"], ["openslide-bin", "tifffile", "pillow", "h5py"]),
    "encoder": (["features", "tiles"], ["torch", "torchvision"]),
    "features": (
        ["features", "slides", "tiles"],
        ["torch", "torchvision", "openslide-bin", "tifffile", "pillow", "h5py"],
    ),
    "whole_features": (
        ["features", "slides", "tiles"],
        ["torch", "torchvision", "openslide-bin", "tifffile", "pillow", "h5py"],
    ),
    "manual_features": (
        ["features", "slides", "tiles"],
        ["numpy", "openslide-bin", "tifffile", "pillow", "h5py"],
    ),
    "imported_tiles": (["exchange", "features", "slides", "tiles"], ["openslide-bin", "tifffile", "pillow", "h5py"]),
    "imported_features": (["exchange", "features", "slides", "tiles"], ["openslide-bin", "tifffile", "pillow", "h5py"]),
    "pooling": (["features", "pooling", "tiles"], ["h5py"]),
    "folds": (["classification"], ["scikit-learn"]),
    "mixtures": (
        ["classification", "classification.fisher", "features", "pooling", "pooling.fisher", "tiles"],
        ["numpy", "scikit-learn", "h5py"],
    ),
    "encoded": (
        ["classification", "classification.fisher", "features", "pooling", "pooling.fisher", "tiles"],
        ["numpy", "h5py"],
    ),
    "classifier": (["classification", "features", "pooling"], ["scikit-learn", "h5py"]),
    "decisions": (["classification", "features", "pooling"], ["h5py"]),
    "network": (
        ["classification", "features", "pooling", "slides", "tiles", "training"],
        ["torch", "torchvision", "scikit-learn", "openslide-bin", "tifffile", "pillow"],
    ),
    "network_decisions": (
        ["classification", "features", "pooling", "slides", "tiles", "training"],
        ["torch", "torchvision", "openslide-bin", "tifffile", "pillow"],
    ),
    "heatmap": (["classification", "features", "pooling", "tiles"], ["numpy", "h5py"]),
    "network_heatmap": (
        ["classification", "features", "pooling", "slides", "tiles", "training"],
        ["torch", "torchvision", "numpy", "scipy", "h5py", "openslide-bin", "tifffile", "pillow"],
    ),
    "patch_scores": (["classification", "features", "tiles"], ["numpy", "h5py"]),
    "membership": (
        ["classification", "classification.fisher", "features", "pooling", "pooling.fisher", "slides", "tiles"],
        ["numpy", "scikit-learn", "pillow", "h5py", "openslide-bin", "tifffile"],
    ),
    "activation": (
        ["classification", "features", "pooling", "slides", "tiles", "training"],
        ["torch", "torchvision", "scikit-learn", "pillow", "openslide-bin", "tifffile"],
    ),
    "map_scores": (["classification", "slides", "tiles"], ["pillow"]),
    "scores": (["classification", "scores"], ["scikit-learn", "scipy"]),
    "comparison": (["classification", "scores"], ["scipy"]),
    "methods": (["classification", "scores", "segmentation"], ["scipy"]),
    "ablated": (["classification", "features", "pooling", "scores"], ["scikit-learn", "h5py"]),
    "ablation": (["classification", "features", "pooling", "scores"], ["scipy"]),
    "labels": (["segmentation", "slides", "tiles"], ["pillow", "tifffile", "imagecodecs", "h5py"]),
    "left_out": (["segmentation"], []),
    "patch_svm": (["features", "segmentation", "segmentation.solver", "tiles"], ["numpy", "scipy", "h5py"]),
    "maps": (["features", "segmentation", "segmentation.solver", "tiles"], ["h5py", "numpy"]),
    "predict": (
        ["features", "segmentation", "segmentation.solver", "slides", "tiles"],
        ["torch", "torchvision", "openslide-bin", "tifffile", "pillow", "h5py"],
    ),
    "regions": (
        ["segmentation.graph_rlm", "slides", "tiles"],
        ["numpy", "scipy", "scikit-learn", "openslide-bin", "tifffile", "pillow", "h5py"],
    ),
    "region_models": (["segmentation", "segmentation.graph_rlm", "slides", "tiles"], ["scikit-learn", "h5py"]),
    "region_maps": (["segmentation", "segmentation.graph_rlm", "segmentation.solver", "slides", "tiles"], ["h5py"]),
    "map_choice": (["scores", "segmentation", "segmentation.solver"], ["scipy", "h5py"]),
    "segment": (
        ["features", "scores", "segmentation", "segmentation.solver", "slides", "tiles"],
        ["scipy", "h5py", "tifffile", "imagecodecs", "pillow", "openslide-bin"],
    ),
    "outlines": (["segmentation", "slides", "tiles"], ["shapely", "scipy", "tifffile", "imagecodecs", "h5py"]),
    "hard_examples": (["features", "scores", "segmentation", "segmentation.solver", "tiles"], ["h5py"]),
    "segmentation_scores": (["scores", "segmentation"], ["scipy"]),
    "variants": (["scores", "segmentation"], ["scipy"]),
    "thumbnails": (["slides"], ["openslide-bin", "tifffile", "pillow"]),
    "evidence": (
        ["classification", "features", "pooling", "scores", "slides", "tiles"],
        ["h5py", "openslide-bin", "tifffile", "pillow"],
    ),
    "neurons": (["classification", "features", "slides", "tiles"], ["h5py", "openslide-bin", "tifffile", "pillow"]),
    "thresholds": (["scores", "segmentation", "segmentation.solver"], ["scipy", "h5py"]),
    "report": (
        [
            "classification",
            "features",
            "pooling",
            "report",
            "scores",
            "segmentation",
            "segmentation.solver",
            "slides",
            "tiles",
        ],
        ["matplotlib", "jinja2", "pillow"],
    ),
}
"""Rule to the packages of slidecaf that its script imports, and the libraries whose version may change its values.

The packages are held against the script's imports by a test. Rules of all kinds of a method depend on the kind's own
packages and libraries too (`slidecaf.study.kinds`).
"""


def made_by(step: str, kind: ClassificationKind | None = None, further: Collection[str] = ()) -> dict[str, dict]:
    """Return what makes a step's results beside its settings and inputs.

    Parameters
    ----------
    step : str
        A rule.
    kind : ClassificationKind, optional
        Of the method, where the rule is one of all kinds.
    further : collection of str, optional
        Libraries that this job alone needs, such as timm.

    Returns
    -------
    dict of str to dict
        ``revision``, package of slidecaf to its revision, and ``versions``, library to its version.
    """
    packages, libraries = STEPS[step]
    packages = {*packages, *(kind.packages if kind else ())}
    libraries = {*libraries, *(kind.libraries if kind else ()), *further}
    return {
        "revision": revisions(*sorted(packages)),
        "versions": {library: version(library) for library in sorted(libraries)},
    }
