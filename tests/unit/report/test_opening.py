"""How a report begins says what the study is of, and no more."""

import pytest

from slidecaf.report.opening import opening
from slidecaf.study.config import Config

TILING = {"patch_size": 224, "overlap": 0.5}
ENCODER = {"model": "alexnet", "layer": "classifier.5"}
SETS = {
    "known": {"tiling": TILING, "encoder": {**ENCODER, "weights": "IMAGENET1K_V1"}},
    "random": {"tiling": TILING, "encoder": {**ENCODER, "weights": "random:0"}},
    "manual": {"kind": "manual", "tiling": TILING},
    "uni": {"kind": "imported", "format": "trident", "folder": "uni"},
    "own": {"tiling": "whole", "encoder": {"model": "resnet18", "layer": "avgpool", "weights": "trained:cnn"}},
}
SVMS = "linear support vector machines on"


def config(classification=None, segmentation=None):
    said = {"features": SETS}
    for task, methods in (("classification", classification), ("segmentation", segmentation)):
        if methods:
            said[task] = {"sheet": "sheet.tsv", "methods": methods}
    return Config.model_validate(said)


@pytest.mark.parametrize(
    ("methods", "with_what"),
    [
        ({"svm": {"features": ["known"]}}, f"{SVMS} features of a network that was trained elsewhere"),
        ({"svm": {"features": ["random"]}}, f"{SVMS} features of a network that was never trained"),
        (
            {"svm": {"features": ["known", "manual"]}},
            f"{SVMS} features of a network that was trained elsewhere and values made by hand",
        ),
        ({"svm": {"features": ["uni"]}}, f"{SVMS} features that another program computed"),
        (
            {"cnn": {"kind": "network", "architecture": "custom-cnn"}, "svm": {"features": ["own"]}},
            f"a network trained here from scratch (custom-cnn) and {SVMS} features of networks trained here",
        ),
        (
            {"tuned": {"kind": "network", "architecture": "resnet50", "weights": "IMAGENET1K_V2"}},
            "a network fine-tuned here from IMAGENET1K_V2 (resnet50)",
        ),
        ({"mcil": {"kind": "mcil", "features": "manual"}}, "classifiers of kind mcil on values made by hand"),
    ],
)
def test_what_decides_is_named_and_what_it_reads(methods, with_what):
    assert opening(config(methods), images=True) == f"tells classes of images apart, with {with_what}"


def test_each_task_is_named_where_the_study_has_it():
    svm, graph = {"svm": {"features": ["known"]}}, {"graph": {"kind": "graph-rlm"}}
    dense = {"svm": {"features": "known"}}
    assert opening(config(svm, dense), images=False) == (
        "tells classes of whole slides apart and maps necrosis in slides, with linear support vector machines on "
        "features of a network that was trained elsewhere"
    )
    assert opening(config(None, graph), images=False) == "maps necrosis in slides, with regions of like texture"
