"""A study of both tasks, of whose files weights alone are there; what its jobs take, and jobs as Snakemake has them."""

from pathlib import Path

from slidecaf.files.fingerprints import Fingerprints
from slidecaf.running.jobs.classification import ClassificationJobs
from slidecaf.running.jobs.digests import Digests
from slidecaf.running.jobs.feature_sets import FeatureSets
from slidecaf.running.jobs.segmentation import SegmentationJobs
from slidecaf.running.jobs.slides import Slides
from slidecaf.study.checked import Study
from slidecaf.study.config import check_config
from slidecaf.study.sheets import Row
from slidecaf.study.targets import targets_of

TRAIN, TEST = ["a", "b", "c", "d"], ["y", "z"]
ENCODER = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
TILED = {"tiling": {"patch_size": 64, "stride": 64}, "encoder": ENCODER}
WHOLE = {"tiling": "whole", "encoder": ENCODER, "shards": 2}
FISHER = {"components": [2], "kind": ["fv"], "pca": [4]}
METHODS = {
    "svm": {"features": ["cnn", "whole"], "norm": [3, "inf"]},
    "mean": {"features": ["cnn"], "norm": [1], "C": [1], "keep": [20]},
    "mcil": {"kind": "mcil", "features": "cnn"},
    "net": {"kind": "network", "architecture": "squeezenet1_1", "weights": "own.pth", "epochs": 6},
    "tuned": {"features": ["tuned"]},
    "fv": {"features": ["places"], "keep": ["all"], "C": [1], "fisher": FISHER},
}
MAPS = {"features": "fused", "training_stride": 64, "hard_examples": {"stride": 64}}
CIRCLES = {"kind": "graph-rlm", "r_min": 3, "r_strel": 1, "win_size": 48, "comp_thr": [10], "clusters": [2]}


class Job(dict):
    """Wildcards as Snakemake has them: by attribute and by key."""

    def __getattr__(self, name):
        if name in self:
            return self[name]
        raise AttributeError(name)


def rows(task, masked=()):
    """Return four training slides of three patients and two test slides, of one task."""
    found = []
    for slide in [*TRAIN, *TEST]:
        own = {"label": "GBM"} if task == "classification" else {}
        own |= {"mask": f"{slide}-mask.png"} if slide in masked else {}
        split = "train" if slide in TRAIN else "test"
        found.append(Row(2, slide, f"{slide}.svs", f"p-{slide}" if slide != "b" else "p-a", split, None, None, **own))
    return found


def config():
    trained = {**ENCODER, "weights": "trained:net", "model": "squeezenet1_1"}
    places = {**trained, "layer": "features.7", "map": "places"}
    return {
        "slides_per_job": 2,
        "features": {
            "cnn": TILED,
            "whole": WHOLE,
            "fused": {**TILED, "store": "train"},
            "tuned": {**WHOLE, "encoder": {**trained, "layer": "features"}},
            "places": {**WHOLE, "encoder": places},
            "unused": TILED,
        },
        "classification": {
            **{"sheet": "c.tsv", "positive": "GBM", "folds": 2, "inner_folds": 3, "methods": METHODS},
            "ablation": {"method": "mean", "norm": [1, 2], "features": ["fused"]},
        },
        "segmentation": {"sheet": "s.tsv", "methods": {"maps": MAPS, "circles": {**CIRCLES, "inner_folds": 2}}},
    }


class Planned:
    """The objects that the workflow makes once a plan, in the working directory."""

    def __init__(self, change=lambda config: None, made=()):
        given = config()
        change(given)
        Path("own.pth").write_bytes(b"no tensors")
        listed = rows("classification", ["a"]), rows("segmentation", ["a", "b", "c", "y"])
        self.study = Study(check_config(given), *listed, ["LGG", "GBM"])
        self.targets, self.layout = targets_of(self.study), targets_of(self.study).layout
        self.slides = Slides(self.study.slides, self.targets.batches, self.study.shards, made)
        self.digests = Digests(Fingerprints("memory.json"), self.study.slides, made)
        shared = self.study, self.targets, self.slides, self.digests
        self.sets = FeatureSets(*shared)
        self.classified, self.segmented = ClassificationJobs(*shared, made), SegmentationJobs(*shared, made)

    def batch_of(self, slide):
        """Return the number of a slide's batch, and the slides of it."""
        return next((str(k), own) for k, own in self.targets.batches.items() if slide in own)

    def slides_in(self, manifests):
        """Return the slides that some manifests of batches or shards list, by their names."""
        found = set()
        for path in manifests:
            name = path.rpartition("/")[2].removesuffix(".tsv")
            word, _, number = name.partition("-")
            features = path.split("/")[-2]
            found |= set((self.targets.batches if word == "batch" else self.study.shards[features])[int(number)])
        return found
